""".parquet tables, through pyarrow. Until they are whole their rows are an Arrow stream, which can be gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clconv.cli.running.journal import Journal
from clconv.cli.running.rows import FILE, Classes, text, values
from clconv.cli.running.tables import ResultTable
from clconv.errors import ConfigError, InputError
from clconv.store.files import replacing

_GROUP = 10_000  # rows


def pyarrow() -> Any:
    """The package; ConfigError if it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(".parquet needs pyarrow: pip install 'clconv[parquet]'") from None
    return pyarrow


class ParquetTable(ResultTable):
    """Columns as in .csv for classes. For values a column for each output: a number, or a list of all its values in
    C order, and its shape in NAME.shape where it has more than one axis."""

    _ROWS = "rows.arrows"

    def __init__(self, result: Path, journal: Journal, classes: Classes | None) -> None:
        super().__init__(result, journal, classes)
        self._arrow = pyarrow()
        self._rows: list[dict[str, Any]] = []
        self._schema: Any = None
        if journal.size(self._ROWS):
            with self._arrow.ipc.open_stream(journal.path(self._ROWS).open("rb")) as stream:
                self._schema = stream.schema

    def add(self, path: str, outputs: Mapping[str, np.ndarray]) -> None:
        row: dict[str, Any] = {FILE: text(path)}
        if self.classes is not None:
            row.update(self.classes.columns(outputs))
        else:
            row.update(_columns(outputs))
        if self._schema is None:
            self._schema = self._schema_of(row)
        if list(row) != self._schema.names:
            raise InputError(
                f"{path}: has the columns {', '.join(row)}, the pictures before {', '.join(self._schema.names)}"
            )
        self._rows.append(row)
        if len(self._rows) >= _GROUP:
            self.flush()

    def _schema_of(self, row: Mapping[str, Any]) -> Any:
        arrow = self._arrow

        def kind(value: Any) -> Any:
            if isinstance(value, np.ndarray):
                inside = arrow.from_numpy_dtype(value.dtype)
                return inside if value.ndim == 0 else arrow.list_(inside)
            return {str: arrow.string(), int: arrow.int32()}.get(type(value), arrow.float64())

        return arrow.schema([(name, kind(value)) for name, value in row.items()])

    def flush(self) -> None:
        if not self._rows:
            return
        columns = [
            self._arrow.array([_python(row[field.name]) for row in self._rows], field.type)
            for field in self._schema
        ]
        batch = self._arrow.record_batch(columns, schema=self._schema)
        if not self.journal.size(self._ROWS):
            self.journal.append(self._ROWS, self._schema.serialize())
        self.journal.append(self._ROWS, batch.serialize())
        self._rows = []

    def finish(self) -> None:
        self.journal.close()
        arrow = self._arrow
        schema = self._schema or arrow.schema([(FILE, arrow.string())])
        with (
            replacing(self.result) as file,
            arrow.parquet.ParquetWriter(file, schema) as writer,
        ):
            for group in self._groups():
                writer.write_table(group, row_group_size=_GROUP)

    def _groups(self) -> Iterator[Any]:
        """Tables of equally many rows, however they were written down."""
        arrow = self._arrow
        if not self.journal.size(self._ROWS):
            return
        with self.journal.path(self._ROWS).open("rb") as file, arrow.ipc.open_stream(file) as rows:
            held, count = [], 0
            for batch in rows:
                held.append(batch)
                count += batch.num_rows
                if count >= _GROUP:
                    table = arrow.Table.from_batches(held)
                    yield table.slice(0, _GROUP)
                    rest = table.slice(_GROUP).combine_chunks()
                    held, count = rest.to_batches(), rest.num_rows
            if count:
                yield arrow.Table.from_batches(held)


def _columns(outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, array in values(outputs).items():
        column = f"{name}_{FILE}" if name == FILE else name
        found[column] = array if array.ndim == 0 else array.ravel()
        if array.ndim > 1:
            found[f"{column}.shape"] = np.array(array.shape, np.int32)
    return found


def _python(value: Any) -> Any:
    return (value.item() if value.ndim == 0 else value) if isinstance(value, np.ndarray) else value

"""The tables that a run over pictures writes, row by row: .csv, .jsonl and .npz. (.parquet: parquet.py)"""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clconv.cli.arrays import safe_member
from clconv.cli.running.journal import Journal
from clconv.cli.running.rows import FILE, Classes, flat_columns, plain, text, values
from clconv.errors import InputError
from clconv.store.files import replacing

_CHUNK = 2**20


class ResultTable:
    """Rows go into the journal; finish() makes the result of them. classes: None for the values of the outputs."""

    def __init__(self, result: Path, journal: Journal, classes: Classes | None) -> None:
        self.result, self.journal, self.classes = result, journal, classes

    def add(self, path: str, outputs: Mapping[str, np.ndarray]) -> None:
        """One picture's row. Raises InputError if it does not fit the rows before."""
        raise NotImplementedError

    def flush(self) -> None:
        """Before a step of the journal."""

    def finish(self) -> None:
        """All pictures are done. Raises OSError where the result cannot be written."""
        raise NotImplementedError

    def _copy(self, name: str) -> None:
        self.journal.close()
        with replacing(self.result) as file:
            if self.journal.size(name):
                with self.journal.path(name).open("rb") as rows:
                    shutil.copyfileobj(rows, file, _CHUNK)


class CsvTable(ResultTable):
    """A header, then a line for each picture."""

    _ROWS = "rows.csv"

    def __init__(self, result: Path, journal: Journal, classes: Classes | None) -> None:
        super().__init__(result, journal, classes)
        self._header: list[str] | None = None
        if journal.size(self._ROWS):
            with journal.path(self._ROWS).open(encoding="utf-8", newline="") as file:
                self._header = next(csv.reader(file))

    def add(self, path: str, outputs: Mapping[str, np.ndarray]) -> None:
        row = flat_columns(outputs) if self.classes is None else self.classes.columns(outputs)
        header = [FILE, *row]
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        if self._header is None:
            self._header = header
            writer.writerow(header)
        if header != self._header:
            raise InputError(
                f"{path}: has {len(header) - 1} values, the pictures before {len(self._header) - 1}; give --size, or save as "
                ".jsonl"
            )
        writer.writerow([text(path), *map(plain, row.values())])
        self.journal.append(self._ROWS, lines.getvalue().encode("utf-8", "backslashreplace"))

    def finish(self) -> None:
        self._copy(self._ROWS)


class JsonLinesTable(ResultTable):
    """An object for each picture."""

    _ROWS = "rows.jsonl"

    def add(self, path: str, outputs: Mapping[str, np.ndarray]) -> None:
        row: dict[str, Any] = {FILE: text(path)}
        if self.classes is None:
            row.update((name, _json(array)) for name, array in values(outputs).items())
        else:
            entries = self.classes.of(outputs)
            row["classes"] = [{k: plain(v) for k, v in entry.items()} for entry in entries]
        line = json.dumps(row, ensure_ascii=False)
        self.journal.append(self._ROWS, line.encode("utf-8", "backslashreplace") + b"\n")

    def finish(self) -> None:
        self._copy(self._ROWS)


def _json(array: np.ndarray) -> Any:
    """Nested lists; None for what JSON has no number for."""
    if array.dtype.kind != "f":
        return array.tolist()
    # The shortest text that gives the same float32 again, not the digits of a float64.
    short = [float(str(v)) if np.isfinite(v) else None for v in array.ravel()]
    return np.array(short, object).reshape(array.shape).tolist()


class NpzTable(ResultTable):
    """All pictures' values of each output in one array, and the pictures' paths as "file"."""

    _FILES, _ABOUT = "files.jsonl", "arrays.json"

    def __init__(self, result: Path, journal: Journal, classes: Classes | None) -> None:
        super().__init__(result, journal, None)
        self._kinds: dict[str, tuple[str, list[int]]] | None = None
        if journal.size(self._ABOUT):
            about = json.loads(journal.path(self._ABOUT).read_bytes())
            self._kinds = {name: (dtype, shape) for name, (dtype, shape) in about.items()}

    def add(self, path: str, outputs: Mapping[str, np.ndarray]) -> None:
        arrays = values(outputs)
        kinds = {name: (a.dtype.str, list(a.shape)) for name, a in arrays.items()}
        if self._kinds is None:
            self._kinds = kinds
            self.journal.append(self._ABOUT, json.dumps(kinds).encode())
        if kinds != self._kinds:
            name = next(n for n in kinds if kinds[n] != self._kinds[n])
            raise InputError(
                f"{path}: output '{name}' has shape {tuple(kinds[name][1])}, the pictures before had "
                f"{tuple(self._kinds[name][1])}; give --size, or save as .jsonl or .parquet"
            )
        for number, array in enumerate(arrays.values()):
            self.journal.append(f"{number}.bin", np.ascontiguousarray(array).tobytes())
        self.journal.append(self._FILES, json.dumps(path).encode() + b"\n")

    def finish(self) -> None:
        self.journal.close()
        files: list[str] = []
        if self.journal.size(self._FILES):
            with self.journal.path(self._FILES).open("rb") as lines:
                files = [text(json.loads(line)) for line in lines]
        taken = {FILE}
        with (
            replacing(self.result) as target,
            zipfile.ZipFile(target, "w", allowZip64=True) as archive,
        ):
            with archive.open(f"{FILE}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.array(files, str), allow_pickle=False)
            for number, (name, (dtype, shape)) in enumerate((self._kinds or {}).items()):
                safe = safe_member(name, taken)
                taken.add(safe.lower())
                with archive.open(f"{safe}.npy", "w", force_zip64=True) as entry:
                    header = {"descr": dtype, "fortran_order": False, "shape": (len(files), *shape)}
                    np.lib.format.write_array_header_1_0(entry, header)
                    with self.journal.path(f"{number}.bin").open("rb") as content:
                        shutil.copyfileobj(content, entry, _CHUNK)

"""The part of `clconv run` that is for folders, patterns and tables: what is checked before loading, then the work."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.cli.classes import check_labels, class_count, scores
from clconv.cli.console import remark
from clconv.cli.feeds import PictureOptions, check_size
from clconv.cli.files import check_writable
from clconv.cli.pictures.opening import pillow
from clconv.cli.pixels import place
from clconv.cli.running.answers import Answers
from clconv.cli.running.journal import Journal
from clconv.cli.running.parquet import ParquetTable, pyarrow
from clconv.cli.running.rows import Classes, check_columns, count_values
from clconv.cli.running.tables import CsvTable, JsonLinesTable, NpzTable, ResultTable
from clconv.cli.running.work import NoPictureError, PictureReader, Pictures, Sink
from clconv.errors import ConfigError
from clconv.graph.ir import TensorSpec
from clconv.session.batches import check_batch

if TYPE_CHECKING:
    from clconv.session.session import Session

# The endings of results that are tables whatever is given; .npz is one of all pictures if there are several.
TABLES = (".csv", ".jsonl", ".parquet")
_KINDS: dict[str, type[ResultTable]] = {
    ".csv": CsvTable,
    ".jsonl": JsonLinesTable,
    ".parquet": ParquetTable,
    ".npz": NpzTable,
}


@dataclasses.dataclass(frozen=True)
class ManyOptions:
    """What the user said. result: the table, None to print. top, names: of classes; classes: whether the table is to hold
    classes rather than values. about: what else decides the result, for a resumed run."""

    paths: Sequence[str]
    result: Path | None
    top: int
    names: list[str] | None
    classes: bool
    strict: bool
    batch: int | None
    about: Mapping[str, Any]


def check_result(result: Path | None) -> None:
    """Raises ConfigError for a table that cannot be written, or needs what is not installed."""
    pillow()
    if result is None:
        return
    if result.suffix.lower() not in _KINDS:
        raise ConfigError(
            f"--output {result}: of many pictures a table is made: {', '.join(_KINDS)}; or leave it out to print"
        )
    check_writable(result, "--output")
    if result.suffix.lower() == ".parquet":
        pyarrow()


class Many:
    """A run over many pictures, all of whose options fit the model.

    specs, outputs: of the model. Raises ConfigError or InputError for what does not fit.
    """

    def __init__(
        self,
        specs: Mapping[str, TensorSpec],
        outputs: Mapping[str, TensorSpec | None],
        options: PictureOptions,
        many: ManyOptions,
    ) -> None:
        if len(specs) != 1:
            raise ConfigError(
                f"folders and tables are for models with one input; this one takes {', '.join(specs)}"
            )
        ((name, spec),) = specs.items()
        self._many = many
        opened = dataclasses.replace(spec, shape=(None, *spec.shape[1:]))
        place(name, opened, (64, 64), options.layout, options.size)
        check_size(options.size, [spec])
        sized = all(isinstance(side, int) for side in spec.shape[1:])
        options.check_fit()
        # Pictures of any sizes run one by one.
        usual = None if sized or options.size else 1
        batch, fixed = check_batch(specs, many.batch)
        self._batch = batch if fixed or many.batch else usual or batch
        self._read = PictureReader(name, opened, options)
        self._classes = self._columns(outputs)
        self._journal: Journal | None = None
        self._table: ResultTable | None = None
        if many.result is not None:
            about = {**many.about, "pictures": _digest(many.paths), "options": repr(
                (options, many.top, many.names, self._classes is not None, many.strict, self._batch)
            )}  # fmt: skip
            self._journal = Journal(many.result, about)
            kind = _KINDS[many.result.suffix.lower()]
            self._table = kind(many.result, self._journal, self._classes)

    def _columns(self, outputs: Mapping[str, TensorSpec | None]) -> Classes | None:
        """The classes that a table holds; None for the values of the outputs."""
        many = self._many
        if many.classes:
            count = class_count(outputs)
            if count is not None and many.names is not None:
                check_labels(many.names, count)
        if many.result is None or many.result.suffix.lower() == ".npz":
            if many.classes and many.result is not None:
                raise ConfigError("--labels and --top are for classes; .npz holds all scores")
            return None
        if many.classes or many.names is not None:
            return Classes(many.top, many.names)
        if many.result.suffix.lower() == ".csv":
            check_columns(count_values(outputs) or 0)
        return None

    def go(self, session: Session, answers: Answers) -> None:
        """Raises what session.run_batches() raises, and InputError for outputs that make no row."""
        many = self._many
        work = Pictures(many.paths, self._read, self._batch, many.strict)
        if self._table is None or self._journal is None:
            work.through(session, _Printed(many.top, many.names, answers), None)
            return
        if self._journal.done:
            remark(f"{self._journal.folder}: goes on behind {self._journal.done:,} pictures")
        self._journal.begin()
        try:
            work.through(session, self._table, self._journal)
        except NoPictureError:  # repeated, it should look at them again
            self._journal.remove()
            raise
        self._table.finish()
        self._journal.remove()
        answers.saved(many.result)


@dataclasses.dataclass(frozen=True)
class _Printed(Sink):
    """Rows on stdout, as for a single picture."""

    top: int
    names: list[str] | None
    answers: Answers

    def add(self, path: str, outputs: Mapping[str, np.ndarray]) -> None:
        self.answers.begin(path, heading=True)
        classes = scores(dict(outputs))
        if classes is None:
            self.answers.outputs(outputs)
        else:
            self.answers.classes(classes, self.top, self.names)


def _digest(paths: Sequence[str]) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(path.encode("utf-8", "surrogateescape") + b"\0")
    return found.hexdigest()


def digest_of_file(path: str) -> str:
    """Of a model's file. Raises OSError."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            found.update(chunk)
    return found.hexdigest()


def refuse_unless_many(given: Mapping[str, bool]) -> None:
    """Raises ConfigError for options that mean nothing for single files."""
    for option, there in given.items():
        if there:
            raise ConfigError(f"{option} is for folders, patterns and tables; leave it out")

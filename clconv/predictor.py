"""Predictor: a model that can be pickled and called, for process pools, Ray, Dask and other places with workers."""

from __future__ import annotations

import collections
import os
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clconv.api import Source, load
from clconv.errors import ConfigError, InputError
from clconv.runtime.device import Wanted
from clconv.session.session import Session

_KEPT = 4  # sessions of a process

# By a predictor's key: in a pool each task brings a copy of its predictor, and all share one session.
_sessions: collections.OrderedDict[str, Session] = collections.OrderedDict()
_lock = threading.Lock()


class Predictor:
    """predictor(batch) -> outputs by name, on a device that is opened in the process that calls it, at the first call.

    model: a path, the bytes of an ONNX file, or a Graph; bytes and graphs travel with each copy, a path must be readable
    in every worker. device, precision: as for load(), looked up in the worker; None takes CLCONV_DEVICE of the worker.
    batch: rows that run together where the model leaves that open, as for Session.run_batches(). outputs: names of those
    that are wanted, all by default. inputs: column of a batch by input name, such as {"data": "image"}; columns are
    called as the inputs by default. before(batch): what makes a worker's batch one that the model takes, for example
    decodes pictures; it must be picklable, a function of a module.

    A predictor holds no device: a copy, pickled or not, costs what its model costs. All copies in a process share one
    session. It may be called from several threads.

    Raises ConfigError where an argument has the wrong type; calls raise what load() and run_batches() raise.
    """

    def __init__(
        self,
        model: Source,
        device: Wanted | Sequence[Wanted] | None = None,
        *,
        precision: str | None = None,
        batch: int | None = None,
        outputs: Sequence[str] | None = None,
        inputs: Mapping[str, str] | None = None,
        before: Callable[[Any], Any] | None = None,
    ) -> None:
        if isinstance(model, str | os.PathLike):
            model = str(Path(model).absolute())  # a worker may be in another folder
        if isinstance(outputs, str):
            raise ConfigError(f"outputs are a list of names, not the text {outputs!r}")
        if before is not None and not callable(before):
            raise ConfigError(f"before is a function, not {type(before).__name__}")
        self.model, self.device, self.precision = model, device, precision
        self.batch, self.outputs = batch, None if outputs is None else tuple(outputs)
        self.inputs, self.before = dict(inputs or {}), before
        self._key = uuid.uuid4().hex

    def __repr__(self) -> str:
        model = self.model if isinstance(self.model, str) else type(self.model).__name__
        return f"<Predictor {model!r}, device {self.device or 'by CLCONV_DEVICE'}>"

    @property
    def session(self) -> Session:
        """The session of this process, opened now if it is not yet."""
        with _lock:
            found = _sessions.get(self._key)
            if found is None:
                found = load(self.model, self.device, precision=self.precision)
                _sessions[self._key] = found
                while len(_sessions) > _KEPT:
                    _sessions.popitem(last=False)
            _sessions.move_to_end(self._key)
            return found

    def __call__(self, batch: Any) -> dict[str, Any]:
        """Outputs by name, as many rows as the batch has.

        batch: an array of rows for a model with one input, or a dict with an array for each input. Other columns of a
        dict are returned as they came, so that names of files stay beside their results. Rows that are lists or an array
        of arrays become one array. Raises InputError for a column that is missing, or an output that would replace one.
        """
        if self.before is not None:
            batch = self.before(batch)
        session = self.session
        if not isinstance(batch, Mapping):
            return self._run(session, batch)
        columns = {name: self.inputs.get(name, name) for name in session.inputs}
        missing = [column for column in columns.values() if column not in batch]
        if missing:
            raise InputError(
                f"the batch has no column {missing[0]!r}, only {', '.join(map(str, batch))}; the model takes "
                f"{', '.join(columns)}: name their columns with inputs="
            )
        results = self._run(session, {n: _array(batch[c]) for n, c in columns.items()})
        others = {c: v for c, v in batch.items() if c not in columns.values()}
        doubled = sorted(set(results) & set(others))
        if doubled:
            raise InputError(
                f"the batch has a column {doubled[0]!r}, which is an output's name, too"
            )
        return {**others, **results}

    def _run(self, session: Session, item: Any) -> dict[str, Any]:
        (found,) = session.run_batches([item], self.batch, self.outputs)
        return found


def _array(column: Any) -> np.ndarray:
    """A column as one array: data frameworks keep rows that are arrays themselves as objects."""
    array = np.asarray(column)
    if array.dtype != object or not len(array):
        return array
    try:
        return np.stack([np.asarray(row) for row in array])
    except ValueError:
        shapes = sorted({np.shape(row) for row in array})
        raise InputError(f"the rows of a column have different shapes: {shapes[:4]}") from None

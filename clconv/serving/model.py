"""A model that is served: what it takes and gives, which requests may run together, and how."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import ANY_SHAPE, TensorSpec
from clconv.serving.batcher import MOST_KINDS
from clconv.serving.datatypes import NAMES
from clconv.serving.refused import bad
from clconv.serving.request import listed, shape_of
from clconv.serving.sizes import size_for, sizes_up_to
from clconv.session.batches import run_batches, run_joined
from clconv.session.inputs import conform
from clconv.session.rows import rows_are_apart
from clconv.session.session import Session

Arrays = dict[str, np.ndarray]

VERSION = "1"
_ALONE = (1,)


class Model:
    """name: in addresses. sessions: of one model, for each device one. most_rows: how many rows run at once where the
    model leaves that open.

    Rows of several requests run together only where clconv can prove that no row affects another's. A fixed batch is
    filled up, so that requests may have any number of rows; where that is not proven, requests have the model's own shapes
    and run one by one.
    """

    def __init__(self, name: str, sessions: Sequence[Session], most_rows: int) -> None:
        self.name, self.sessions = name, tuple(sessions)
        self._lock = threading.Lock()
        self._apart: dict[Hashable, bool] = {}
        declared = sessions[0].inputs
        self._batch = _common_batch(declared)
        fixed = isinstance(self._batch, int)
        self._sizes = (int(self._batch),) if fixed else sizes_up_to(most_rows)  # type: ignore[arg-type]
        if fixed and not self._fixed_rows_are_apart():
            self._batch = None
        self.inputs = _opened(declared) if self._batch is not None else declared
        self.outputs = self._describe_outputs()

    def warm(self) -> None:
        """Plans and compiles what requests will need, as far as their sizes are known."""
        if self._batch is None or isinstance(self._batch, int):
            return  # the sessions did so when they were made
        row = {name: spec.shape[1:] for name, spec in self.inputs.items()}
        if not all(isinstance(size, int) for shape in row.values() for size in shape):
            return
        together = self._may_join(tuple(row.values()))
        for session in self.sessions:
            for size in self._sizes if together else _ALONE:
                session.prepare({name: (size, *shape) for name, shape in row.items()})
        self.outputs = self._describe_outputs()

    def metadata(self) -> dict[str, Any]:
        """As the protocol describes a model; an output of unknown type or rank has its name only."""
        described = ((self.inputs, "inputs"), (self.outputs, "outputs"))
        tensors = {
            key: [
                {"name": name}
                if spec is None
                else {"name": name, "datatype": NAMES[spec.dtype], "shape": shape_of(spec)}
                for name, spec in specs.items()
            ]
            for specs, key in described
        }
        return {"name": self.name, "versions": [VERSION], "platform": "onnx_clconv", **tensors}

    def described(self) -> str:
        """A line on what it takes and how its requests run."""
        if self._batch is None:
            how = "requests run one by one: it is not certain that their rows do not affect each other"
        elif self._sizes[-1] == 1:
            how = "rows run one by one: the batch is fixed at 1"
        elif isinstance(self._batch, int):
            how = f"rows run {self._sizes[-1]} at a time"
        elif False in self._apart.values():
            how = "requests run one by one"
        else:
            how = f"rows run up to {self._sizes[-1]} at a time"
        return f"{listed(self.inputs)}; {how}"

    def checked(self, feeds: Mapping[str, np.ndarray]) -> tuple[Arrays, int, Hashable]:
        """Arrays that the model takes, how many rows they are, and the kind of request. Raises Refused."""
        try:
            arrays = conform(self.inputs, feeds)
        except InputError as reason:
            raise bad(str(reason)) from None
        if self._batch is None:
            return arrays, 1, ("alone", *(a.shape for a in arrays.values()))
        rows = {name: len(array) for name, array in arrays.items()}
        if len(set(rows.values())) > 1:
            raise bad(f"the inputs have different numbers of rows, {rows}: send as many for each")
        if 0 in rows.values():
            raise bad("the request has no rows: send one at least")
        count = next(iter(rows.values()))
        return arrays, count, tuple(a.shape[1:] for a in arrays.values())

    def sizes(self, kind: Hashable) -> Sequence[int]:
        """How many rows of requests of this kind may run at once, as far as is known before the first has run."""
        if self._batch is None or not self._apart.get(kind, True):
            return _ALONE
        return self._sizes

    def run(
        self, session: Session, items: Sequence[Arrays], kind: Hashable
    ) -> list[Arrays | BaseException]:
        """An answer to each request: outputs by name, or its error, which is none of the others'."""
        if self._batch is not None and self._may_join(kind):
            rows = sum(len(next(iter(item.values()))) for item in items)
            most = self._sizes[-1]
            try:
                if rows > most:
                    (item,) = items
                    return list(run_batches([session.run], session.inputs, [item], most))
                return [*run_joined(session.run, items, size_for(self._sizes, rows))]
            except Exception as reason:
                if len(items) == 1:
                    return [reason]
                # Whose fault it is shows when each runs for itself.
                return [self.run(session, [item], kind)[0] for item in items]
        return [_outcome(session, item) for item in items]

    def _fixed_rows_are_apart(self) -> bool:
        session = self.sessions[0]
        if self._batch == 1:  # each row has a run of its own
            return all(s and s.rank and s.shape[0] == 1 for s in session.outputs.values())
        if not all(spec.is_static for spec in session.inputs.values()):
            return False
        return rows_are_apart(session, {n: s.shape for n, s in session.inputs.items()})

    def _may_join(self, kind: Hashable) -> bool:
        """Whether requests of this kind may run as one batch; found out at the first."""
        if isinstance(self._batch, int):
            return True
        with self._lock:
            if kind not in self._apart:
                self._apart = {} if len(self._apart) >= MOST_KINDS else self._apart
                self._apart[kind] = self._sizes[-1] > 1 and self._is_apart(kind)
            return self._apart[kind]

    def _is_apart(self, kind: Any) -> bool:
        names, most = list(self.inputs), self._sizes[-1]
        session = self.sessions[0]

        def shapes(count: int) -> dict[str, tuple[int, ...]]:
            return {name: (count, *row) for name, row in zip(names, kind, strict=True)}

        try:
            # Later plans keep the variants of the first: a row alone loses more by those of many rows than they by its.
            session.prepare(shapes(1))
            return rows_are_apart(session, shapes(most))
        except Exception:  # one alone may fit where many do not; if not, its own run says why
            return False

    def _describe_outputs(self) -> dict[str, TensorSpec | None]:
        session = self.sessions[0]
        found = session.outputs
        if self._batch is None:
            return found
        row = {n: s.shape[1:] for n, s in self.inputs.items()}
        kind = tuple(row.values())
        if self._apart.get(kind):
            most = self._sizes[-1]
            found = {**found, **session.output_specs({n: (most, *s) for n, s in row.items()})}
        elif not isinstance(self._batch, int):
            return found
        return {
            n: s and dataclasses.replace(s, shape=(None, *s.shape[1:])) for n, s in found.items()
        }


def _common_batch(specs: Mapping[str, TensorSpec]) -> int | str | None:
    """The size of axis 0 of all inputs where it is a batch: a number, a name ("" for one without), None for no batch."""
    if not specs or any(s.rank == 0 or s.shape == ANY_SHAPE for s in specs.values()):
        return None
    firsts = {spec.shape[0] for spec in specs.values()}
    if len(firsts) > 1 or 0 in firsts:
        return None
    (first,) = firsts
    return "" if first is None else first


def _opened(specs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    return {n: dataclasses.replace(s, shape=(None, *s.shape[1:])) for n, s in specs.items()}


def _outcome(session: Session, item: Arrays) -> Arrays | BaseException:
    try:
        return session.run(item)
    except Exception as reason:
        return reason

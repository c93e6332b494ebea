"""Gradients of LSTM, GRU and RNN: back-propagation through time (Werbos 1990), a step after the other.

What the steps do not hand to each other is computed for all of them at once: the gates from the inputs and from the
outputs of the forward pass, as one product each, their slopes, and at the end the gradients of inputs and weights. A
step itself is one product with the recurrent weights and a few element-wise operations. Sequences run forwards here:
those of the reverse direction are turned round, each within its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.errors import UnsupportedError
from clconv.graph.ir import DType
from clconv.graph.rules.gradient.recurrent.cells import Cell, gru, lstm, rnn
from clconv.records import record

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward

_CELLS = {"LSTM": (lstm, 4), "GRU": (gru, 3), "RNN": (rnn, 1)}
_MOST_STEPS = 1024  # of all directions: some ten nodes each


def recurrent(back: Backward) -> Sequence[str]:
    at = back.attrs
    count = back.spec(2).shape[0]
    x = back.spec().shape
    time, batch = (x[1], x[0]) if at.layout else x[:2]
    if time * count > _MOST_STEPS:
        raise UnsupportedError(
            f"node '{back.node.name}' ({back.node.op}): back-propagation through {time} steps in {count} direction(s) is "
            f"written out step by step, at most {_MOST_STEPS}; cut the sequences into shorter ones"
        )
    if not time or not batch:
        return [""] * len(back.node.inputs)
    parts = [_Direction(back, d, time, batch).run() for d in range(count)]
    found = []
    for i in range(len(back.node.inputs)):
        own = [part.get(i, "") for part in parts]
        if not back.wants(i) or not all(own):
            found.append("")
        elif i == 0:  # both directions read the same sequence
            total = own[0] if count == 1 else back.add(*own)
            found.append(_laid_out(back, total))
        else:
            axis = 1 if i in (5, 6) and at.layout else 0
            found.append(own[0] if count == 1 else back.one("Concat", *own, axis=axis))
    return found


def _laid_out(back: Backward, name: str) -> str:
    """(time, batch, features) as the layer has it."""
    return back.transpose(name, (1, 0, 2)) if back.attrs.layout else name


@record(frozen=True)
class _Direction:
    """One direction of a layer."""

    back: Backward
    d: int
    time: int
    batch: int

    @property
    def hidden(self) -> int:
        return self.back.spec(2).shape[2]

    @property
    def is_reverse(self) -> bool:
        return self.back.attrs.direction == "reverse" or self.d == 1

    def run(self) -> dict[int, str]:
        back = self.back
        make, gates = _CELLS[back.node.op]
        x = self._ordered(_laid_out(back, back.input(0)))
        w, r = (back.reshape(self._own(i), back.spec(i).shape[1:]) for i in (1, 2))
        h0 = self._state(5)
        h = self._sequence(back.output(0))
        before = h0 if self.time == 1 else back.one("Concat", h0, self._but_last(h), axis=0)
        features, rows = back.spec(1).shape[2], self.time * self.batch
        flat_x, flat_h = back.reshape(x, (rows, features)), before
        alive = self._alive()
        c0 = self._state(6) if back.node.op == "LSTM" else ""
        cell = Cell(
            back, self.d, self.time, self.batch, self.hidden, flat_x, flat_h, w, r, self._bias(gates),
            c0, self._peepholes(), alive,
        )  # fmt: skip
        steps = make(cell, self._outer(cell), self._final(1, cell), self._final(2, cell))
        dx_gates, dr_gates = steps.input_gates, steps.state_gates
        found = {
            1: back.reshape(
                back.one("Gemm", dx_gates, flat_x, transA=1), (1, *back.spec(1).shape[1:])
            ),
            2: back.reshape(steps.recurrent, (1, *back.spec(2).shape[1:])),
        }
        if back.wants(0):
            dx = back.reshape(back.one("Gemm", dx_gates, w), (self.time, self.batch, features))
            found[0] = self._ordered(dx)
        if back.wants(3):
            sums = [back.sum(g, [0]) for g in (dx_gates, dr_gates)]
            found[3] = back.one("Concat", *sums, axis=1)
        for i, state in ((5, steps.h), (6, steps.c)):
            if back.wants(i) and state:
                shape = (
                    (self.batch, 1, self.hidden)
                    if back.attrs.layout
                    else (1, self.batch, self.hidden)
                )
                found[i] = back.reshape(state, shape)
        if back.wants(7) and steps.peepholes:
            found[7] = back.reshape(steps.peepholes, (1, 3 * self.hidden))
        return found

    # What the layer was given, of this direction.

    def _own(self, index: int, axis: int = 0) -> str:
        back = self.back
        if back.spec(index).shape[axis] == 1:
            return back.input(index)
        return _taken(back, back.input(index), axis, self.d)

    def _bias(self, gates: int) -> tuple[str, str]:
        """Of the inputs and of the state, (gates * hidden) each; "" without one."""
        if not self.back.has(3):
            return "", ""
        size = gates * self.hidden
        whole = self.back.reshape(self._own(3), (2 * size,))
        first, second = self.back.emit("Split", whole, outputs=2, axis=0, num_outputs=2)
        return first, second

    def _peepholes(self) -> list[str]:
        """Of gates i, o and f, (hidden) each."""
        if not self.back.has(7):
            return []
        whole = self.back.reshape(self._own(7), (3 * self.hidden,))
        return self.back.emit("Split", whole, outputs=3, axis=0, num_outputs=3)

    def _state(self, index: int) -> str:
        """(batch, hidden) before the first step."""
        shape = (self.batch, self.hidden)
        if self.back.has(index):
            return self.back.reshape(self._own(index, int(bool(self.back.attrs.layout))), shape)
        dtype = self.back.spec().dtype.numpy
        return self.back.constant(np.zeros(shape, dtype), "zeros")

    def _alive(self) -> str:
        """(time * batch, 1): 1 while a sequence lasts, else 0; "" where all last to the end."""
        if not self.back.has(4):
            return ""
        back, dtype = self.back, self.back.spec(4).dtype.numpy
        steps = back.constant(np.arange(self.time, dtype=dtype).reshape(-1, 1, 1), "steps")
        lengths = back.reshape(back.input(4), (1, self.batch, 1))
        is_alive = back.reshape(back.one("Less", steps, lengths), (self.time * self.batch, 1))
        return back.cast(is_alive, back.spec().dtype)

    def _ordered(self, name: str) -> str:
        """(time, batch, ...) in the order of the steps, or back from it."""
        back = self.back
        if not self.is_reverse:
            return name
        if back.has(4):
            lengths = back.cast(back.input(4), DType.INT64)
            return back.one("ReverseSequence", name, lengths, time_axis=0, batch_axis=1)
        ends = (-1, -(2**31), 0, -1)
        return back.one("Slice", name, *(back.ints(v) for v in ends))

    def _sequence(self, name: str) -> str:
        """What has the shape of the outputs as (time * batch, hidden) of this direction, in the order of the steps."""
        back, layout = self.back, self.back.attrs.layout
        axis = 2 if layout else 1
        if back.spec_of(name).shape[axis] > 1:
            name = _taken(back, name, axis, self.d)
        batch_first = (self.batch, self.time, self.hidden)
        name = back.reshape(name, batch_first if layout else (self.time, self.batch, self.hidden))
        ordered = self._ordered(_laid_out(back, name))
        return back.reshape(ordered, (self.time * self.batch, self.hidden))

    def _but_last(self, h: str) -> str:
        ints = self.back.ints
        return self.back.one("Slice", h, ints(0), ints((self.time - 1) * self.batch), ints(0))

    # What comes from behind.

    def _outer(self, cell: Cell) -> list[str]:
        """By step, what the outputs' readers give: (batch, hidden) each, "" for nothing."""
        if not self.back.has_gradient(0):
            return [""] * self.time
        return cell.by_step(cell.living(self._sequence(self.back.gradient(0))))

    def _final(self, index: int, cell: Cell) -> str:
        """What the last state's readers give: (batch, hidden); "" for nothing. The state of a sequence without any
        step is zeros."""
        back, axis = self.back, 1 if self.back.attrs.layout else 0
        if not back.has_gradient(index):
            return ""
        name = back.gradient(index)
        if back.spec_of(name).shape[axis] > 1:
            name = _taken(back, name, axis, self.d)
        name = back.reshape(name, (self.batch, self.hidden))
        return back.mul(name, cell.by_step(cell.alive)[0]) if cell.alive else name


def _taken(back: Backward, name: str, axis: int, place: int) -> str:
    ints = back.ints
    return back.one("Slice", name, ints(place), ints(place + 1), ints(axis))

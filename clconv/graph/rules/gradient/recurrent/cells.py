"""The steps of LSTM, GRU and RNN backwards; see layer.py.

Names: `before`, the state before each step; M, what turns a gradient of the state into one of the gates before their
functions; dead, steps after a sequence's end, through which gradients of the state go unchanged. Tensors of all steps
have (time * batch) rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.graph.rules.gradient.recurrent.functions import activated
from clconv.records import record

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


@record(frozen=True)
class CellGradients:
    """Gradients: of the gates as inputs and state reach them (rows, gates * hidden), of the recurrent weights, of the
    initial state (batch, hidden), of the peepholes."""

    input_gates: str
    state_gates: str
    recurrent: str
    h: str
    c: str = ""
    peepholes: str = ""


@record(frozen=True)
class Cell:
    """One direction of a layer, its sequence in the order of the steps.

    x (rows, features); before (rows, hidden); c0 (batch, hidden); w, r, bias, peepholes: as the layer has them; alive
    (rows, 1), "" where no sequence ends early.
    """

    back: Backward
    direction: int
    time: int
    batch: int
    hidden: int
    x: str
    before: str
    w: str
    r: str
    bias: tuple[str, str]
    c0: str = ""
    peepholes: Sequence[str] = ()
    alive: str = ""

    def product(self, a: str, b: str, added: str = "", turned: int = 1) -> str:
        """a b' + added, or a b if not turned."""
        return self.back.one("Gemm", a, b, *([added] if added else []), transB=turned)

    def weight_gradient(self, gates: str, rows: str) -> str:
        return self.back.one("Gemm", gates, rows, transA=1)

    def split(self, name: str, count: int) -> list[str]:
        """By gate."""
        if count == 1:
            return [name]
        return self.back.emit("Split", name, outputs=count, axis=1, num_outputs=count)

    def by_step(self, name: str) -> list[str]:
        if self.time == 1:
            return [name]
        return self.back.emit("Split", name, outputs=self.time, axis=0, num_outputs=self.time)

    def joined(self, names: Sequence[str], axis: int = 0) -> str:
        return names[0] if len(names) == 1 else self.back.one("Concat", *names, axis=axis)

    def gate(self, z: str, index: int, clipped: bool = True) -> tuple[str, str]:
        """Value and slope of the layer's function of that index."""
        back, clip = self.back, self.back.attrs.clip
        if not clip or not clipped:
            return activated(back, self.direction, index, z)
        inside = back.one("LessOrEqual", back.one("Abs", z), back.number(clip))
        bounded = back.one("Clip", z, back.number(-clip), back.number(clip))
        value, slope = activated(back, self.direction, index, bounded)
        return value, back.mul(slope, back.cast(inside, back.spec_of(z).dtype))

    def living(self, name: str) -> str:
        """Nothing at dead steps."""
        return self.back.mul(name, self.alive) if self.alive else name

    def kept(self, name: str) -> str:
        """1 at dead steps."""
        return self.back.add(self.living(name), self.dead()) if self.alive else name

    def dead(self) -> str:
        return self.back.sub(self.back.number(1), self.alive)

    def added(self, *names: str) -> str:
        """The sum of those that are there."""
        there = [n for n in names if n]
        while len(there) > 1:
            there[:2] = [self.back.add(*there[:2])]
        return there[0] if there else ""

    def nothing(self) -> str:
        dtype = self.back.spec().dtype.numpy
        return self.back.constant(np.zeros((self.batch, self.hidden), dtype), "zeros")


def rnn(cell: Cell, outer: Sequence[str], dh: str, dc: str) -> CellGradients:
    product = cell.product
    z = product(cell.before, cell.r, product(cell.x, cell.w, _bias(cell)))
    m = cell.by_step(cell.living(cell.gate(z, 0)[1]))
    dead = cell.by_step(cell.dead()) if cell.alive else []
    found, dh = list[str](), cell.added(dh, outer[-1]) or cell.nothing()
    for t in reversed(range(cell.time)):
        found.insert(0, cell.back.mul(dh, m[t]))
        passed = cell.back.mul(dh, dead[t]) if dead else ""
        dh = cell.added(product(found[0], cell.r, outer[t - 1] if t else "", turned=0), passed)
    gates = cell.joined(found)
    return CellGradients(gates, gates, cell.weight_gradient(gates, cell.before), dh)


def lstm(cell: Cell, outer: Sequence[str], dh: str, dc: str) -> CellGradients:
    back, product = cell.back, cell.product
    z = cell.split(product(cell.before, cell.r, product(cell.x, cell.w, _bias(cell))), 4)
    cells = _peeped_cells(cell, z) if cell.peepholes else _cells(cell, z)
    c_before, c = cell.joined([cell.c0, *cells[:-1]]), cell.joined(cells)
    coupled, peep = back.attrs.input_forget, cell.peepholes
    if peep:
        looked = (c_before, c, c_before)
        z[:3] = [back.add(z[k], back.mul(looked[k], peep[k])) for k in range(3)]
    (i, i_slope), (o, o_slope), (new, new_slope) = (cell.gate(z[k], int(k == 3)) for k in (0, 1, 3))
    shown, shown_slope = cell.gate(c, 2, clipped=False)
    if coupled:
        f, of_i, of_f = back.sub(back.number(1), i), back.sub(new, c_before), ""
    else:
        f, f_slope = cell.gate(z[2], 0)
        of_i, of_f = new, back.mul(c_before, f_slope)
    of_i, of_o, of_new = back.mul(of_i, i_slope), back.mul(shown, o_slope), back.mul(i, new_slope)
    to_c = back.mul(o, shown_slope)
    if peep:
        to_c = back.add(to_c, back.mul(of_o, peep[1]))
        f = back.add(f, back.mul(of_i, peep[0]))
        f = f if coupled else back.add(f, back.mul(of_f, peep[2]))
    of_f = of_f or back.zeros(back.spec_of(of_i))
    m = cell.by_step(cell.living(cell.joined([of_i, of_o, of_f, of_new], axis=1)))
    f_steps, to_c_steps = cell.by_step(cell.kept(f)), cell.by_step(cell.living(to_c))
    dead = cell.by_step(cell.dead()) if cell.alive else []
    found, dh = list[str](), cell.added(dh, outer[-1]) or cell.nothing()
    for t in reversed(range(cell.time)):
        dc = cell.added(dc, back.mul(dh, to_c_steps[t]))
        found.insert(0, back.mul(cell.joined([dc, dh, dc, dc], axis=1), m[t]))
        passed = back.mul(dh, dead[t]) if dead else ""
        dc = back.mul(dc, f_steps[t])
        dh = cell.added(product(found[0], cell.r, outer[t - 1] if t else "", turned=0), passed)
    gates = cell.joined(found)
    dpeep = ""
    if peep:
        of_gate = cell.split(gates, 4)[:3]
        seen = (c_before, c, c_before)
        sums = [
            back.sum(back.mul(g, s), [0], keepdims=False)
            for g, s in zip(of_gate, seen, strict=True)
        ]
        dpeep = cell.joined(sums)
    return CellGradients(gates, gates, cell.weight_gradient(gates, cell.before), dh, dc, dpeep)


def _cells(cell: Cell, z: Sequence[str]) -> list[str]:
    """The cell's content after each step: (batch, hidden) each."""
    back = cell.back
    i, new = cell.gate(z[0], 0)[0], cell.gate(z[3], 1)[0]
    f = back.sub(back.number(1), i) if back.attrs.input_forget else cell.gate(z[2], 0)[0]
    kept, taken = cell.by_step(cell.kept(f)), cell.by_step(cell.living(back.mul(i, new)))
    c, found = cell.c0, []
    for keep, take in zip(kept, taken, strict=True):
        c = back.add(back.mul(c, keep), take)
        found.append(c)
    return found


def _peeped_cells(cell: Cell, z: Sequence[str]) -> list[str]:
    """The same where the gates see the cell's content."""
    back, peep = cell.back, cell.peepholes
    z_i, z_f = cell.by_step(z[0]), cell.by_step(z[2])
    new = cell.by_step(cell.living(cell.gate(z[3], 1)[0]))
    alive = cell.by_step(cell.alive) if cell.alive else []
    dead = cell.by_step(cell.dead()) if cell.alive else []
    c, found = cell.c0, []
    for t in range(cell.time):
        i = cell.gate(back.add(z_i[t], back.mul(c, peep[0])), 0)[0]
        if back.attrs.input_forget:
            f = back.sub(back.number(1), i)
        else:
            f = cell.gate(back.add(z_f[t], back.mul(c, peep[2])), 0)[0]
        if alive:
            f = back.add(back.mul(f, alive[t]), dead[t])
        c = back.add(back.mul(c, f), back.mul(i, new[t]))
        found.append(c)
    return found


def gru(cell: Cell, outer: Sequence[str], dh: str, dc: str) -> CellGradients:
    back, product, hidden = cell.back, cell.product, cell.hidden
    sizes = back.ints(2 * hidden, hidden)
    r_gates, r_new = back.emit("Split", cell.r, sizes, outputs=2, axis=0)
    b_gates, b_new = cell.bias[1], ""
    if b_gates:
        b_gates, b_new = back.emit("Split", b_gates, sizes, outputs=2, axis=0)
    x_gates, x_new = back.emit(
        "Split", product(cell.x, cell.w, cell.bias[0]), sizes, outputs=2, axis=1
    )
    both = cell.split(
        product(cell.before, r_gates, back.add(x_gates, b_gates) if b_gates else x_gates), 2
    )
    (z, z_slope), (reset, reset_slope) = (cell.gate(g, 0) for g in both)
    linear = back.attrs.linear_before_reset
    rows = cell.before if linear else back.mul(reset, cell.before)
    turned = product(rows, r_new, b_new)
    new, new_slope = cell.gate(back.add(x_new, back.mul(reset, turned) if linear else turned), 1)
    of_z = cell.living(back.mul(back.sub(cell.before, new), z_slope))
    of_new = cell.living(back.mul(back.sub(back.number(1), z), new_slope))
    of_reset = back.mul(turned if linear else cell.before, reset_slope)
    keep, m_new, m_z = cell.by_step(cell.kept(z)), cell.by_step(of_new), cell.by_step(of_z)
    m_reset, resets = cell.by_step(of_reset), cell.by_step(reset)
    found_gates, found_new, found_turned = list[str](), list[str](), list[str]()
    dh = cell.added(dh, outer[-1]) or cell.nothing()
    for t in reversed(range(cell.time)):
        dnew = back.mul(dh, m_new[t])
        dturned = back.mul(dnew, resets[t]) if linear else dnew
        drows = product(dturned, r_new, turned=0)
        dreset = back.mul(dnew if linear else drows, m_reset[t])
        dgates = cell.joined([back.mul(dh, m_z[t]), dreset], axis=1)
        direct = drows if linear else back.mul(drows, resets[t])
        passed = back.mul(dh, keep[t])
        dh = product(dgates, r_gates, outer[t - 1] if t else "", turned=0)
        dh = cell.added(dh, direct, passed)
        for names, name in ((found_gates, dgates), (found_new, dnew), (found_turned, dturned)):
            names.insert(0, name)
    gates, dnew, dturned = (cell.joined(n) for n in (found_gates, found_new, found_turned))
    weights = [cell.weight_gradient(gates, cell.before), cell.weight_gradient(dturned, rows)]
    by_input = cell.joined([gates, dnew], axis=1)
    by_state = cell.joined([gates, dturned], axis=1) if linear else by_input
    return CellGradients(by_input, by_state, cell.joined(weights), dh)


def _bias(cell: Cell) -> str:
    return cell.back.add(*cell.bias) if cell.bias[0] else ""

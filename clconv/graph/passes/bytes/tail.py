"""What follows a product up to a quantisation, as far as the kernels on bytes do it with the sums in registers."""

from __future__ import annotations

import dataclasses

import numpy as np

from clconv.graph.ir import RUNNING, Constant, Node
from clconv.graph.passes.bytes.grid import CutOff, Grid, Grids, grid_of, numbers_of
from clconv.records import record


@record(frozen=True)
class Tail:
    """cut, grid: the first quantisation, with what is cut off before. other: the value that is added behind it, on a grid.
    last: what is then cut off, and the grid of the result; None where nothing follows the first. length: steps of the
    epilogue that this is."""

    cut: CutOff
    grid: Grid | None
    other: str
    last: tuple[CutOff, Grid] | None
    length: int

    @property
    def result(self) -> Grid:
        grid = self.grid if self.last is None else self.last[1]
        assert grid is not None
        return grid

    @property
    def twice(self) -> bool:
        return self.grid is not None and self.last is not None

    @property
    def divisor(self) -> float:
        """What a real number is divided by so that kernels count it in steps."""
        return (self.grid or self.result).scale

    def numbers(self, grids: Grids) -> np.ndarray:
        result, first, other = self.result, (0.0, 0.0, 0.0), (0.0, 0.0)
        cut = self.cut if self.last is None else self.last[0]
        if self.twice:
            assert self.grid is not None
            first = (*self.cut.ends(self.grid), self.grid.scale / result.scale)
        if self.other:
            added = grids[self.other]
            other = (added.zero, added.scale / result.scale)
        return numbers_of(first, other, cut.ends(result), result.zero)

    def requantised(self, grid: Grid) -> Tail | None:
        """Behind it one more quantisation; None if there is no room for one."""
        if self.last is not None:
            return None
        return dataclasses.replace(self, last=(CutOff(), grid))


def tail_of(node: Node, constants: dict[str, Constant], grids: Grids) -> Tail | None:
    """The longest part of a node's epilogue that is such a tail, which ends on a grid; None if there is none."""
    cut, grid, other, found = CutOff(), None, "", None

    def array(index: int) -> np.ndarray | None:
        constant = constants.get(node.inputs[index]) if index != RUNNING else None
        return None if constant is None else constant.array

    for position, step in enumerate(node.epilogue):
        if step.op == "Relu":
            cut = cut.then(0.0, np.inf)
        elif step.op == "Clip":
            ends = _clip_ends(node, step.operands, constants)
            if ends is None:
                break
            cut = cut.then(*ends)
        elif step.op == "Add":
            named = [node.inputs[i] for i in step.operands if i != RUNNING]
            if len(named) != 1 or named[0] not in grids or other:
                break
            if (grid is None and cut != CutOff()) or (grid is not None and not cut.is_on(grid)):
                break
            first_cut = (found.cut if found else CutOff()).then(cut.low, cut.high)
            if found is not None:
                found = dataclasses.replace(found, cut=first_cut)
            cut, other = CutOff(), named[0]
        elif step.op == "FakeQuantize" and len(step.operands) == 3:
            made = grid_of(step.attrs, array(step.operands[1]), array(step.operands[2]))
            if made is None:
                break
            if grid is None and not other:
                grid, found = made, Tail(cut, made, "", None, position + 1)
            else:
                if not other and not cut.is_on(made):
                    break
                first = CutOff() if found is None else found.cut
                return Tail(first, grid, other, (cut, made), position + 1)
            cut = CutOff()
        else:
            break
    return found if found is not None and not other else _before_add(node, constants, grids, found)


def _before_add(
    node: Node, constants: dict[str, Constant], grids: Grids, found: Tail | None
) -> Tail | None:
    """The tail up to the first quantisation, where a sum behind it is not quantised again."""
    if found is None:
        return None
    short = dataclasses.replace(node, epilogue=node.epilogue[: found.length])
    return tail_of(short, constants, grids)


def _clip_ends(
    node: Node, operands: tuple[int, ...], constants: dict[str, Constant]
) -> tuple[float, float] | None:
    ends = [-np.inf, np.inf]
    for position, index in enumerate(operands[1:3]):
        if index == RUNNING or not node.inputs[index]:
            continue
        known = constants.get(node.inputs[index])
        if known is None or known.spec.size != 1:
            return None
        ends[position] = float(known.array.reshape(-1)[0])
    return ends[0], ends[1]

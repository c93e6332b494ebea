"""Broadcasting of plain tensors: axes that broadcast alike become one, operands are read by strides."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clconv.records import record


@record(frozen=True)
class Broadcast:
    """How operands of a result are walked, after adjacent axes were joined.

    sizes: of the result, outermost first, at least one. strides: for each operand its distance in elements
    along each of these axes, 0 where it is repeated. The last stride is 0 or 1.
    """

    sizes: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]

    @property
    def rank(self) -> int:
        return len(self.sizes)


def broadcast(result: Sequence[int], operands: Sequence[Sequence[int]]) -> Broadcast:
    """The walk over a result shape whose operand shapes broadcast to it.

    Axes of size 1 go; two neighbours are joined where each operand has both or repeats both.
    """
    aligned = [(1,) * (len(result) - len(shape)) + tuple(shape) for shape in operands]
    joined: list[tuple[int, tuple[bool, ...]]] = []
    for axis, size in enumerate(result):
        if size == 1:
            continue
        present = tuple(shape[axis] != 1 for shape in aligned)
        if joined and joined[-1][1] == present:
            joined[-1] = (joined[-1][0] * size, present)
        else:
            joined.append((size, present))
    if not joined:
        joined.append((1, (True,) * len(aligned)))
    sizes = tuple(size for size, _ in joined)
    strides = tuple(
        tuple(
            math.prod(size for size, has in joined[axis + 1 :] if has[i]) if present[i] else 0
            for axis, (_, present) in enumerate(joined)
        )
        for i in range(len(aligned))
    )
    return Broadcast(sizes, strides)

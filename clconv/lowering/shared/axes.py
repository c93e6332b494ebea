"""The axes of a plain tensor, those that are reduced and those that are kept, as few as possible."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.kernel import Problem
from clconv.records import record


@record(frozen=True)
class Axis:
    """Neighbouring axes of a plain tensor seen as one: size, distance of two indices in elements."""

    size: int
    stride: int
    reduced: bool


def merged_axes(shape: tuple[int, ...], reduced: tuple[int, ...]) -> list[Axis]:
    """A plain tensor's axes, outermost first: those of size 1 left out, neighbours of a kind joined."""
    found: list[Axis] = []
    for i, size in enumerate(shape):
        if size == 1:
            continue
        stride = math.prod(shape[i + 1 :])
        if found and found[-1].reduced == (i in reduced):
            found[-1] = Axis(found[-1].size * size, stride, found[-1].reduced)
        else:
            found.append(Axis(size, stride, i in reduced))
    return found


def kept_and_reduced(
    shape: tuple[int, ...], reduced: tuple[int, ...]
) -> tuple[list[Axis], list[Axis]]:
    """The merged_axes() of each kind."""
    axes = merged_axes(shape, reduced)
    return [a for a in axes if not a.reduced], [a for a in axes if a.reduced]


def axis_arguments(kept: Sequence[Axis], reduced: Sequence[Axis]) -> list[tuple[str, Argument]]:
    """Sizes and strides, as kernels take them that go through axes of any number."""
    return [
        (name, Scalar(value, "long"))
        for kind, axes in (("kept", kept), ("reduced", reduced))
        for i, axis in enumerate(axes)
        for name, value in ((f"{kind}{i}", axis.size), (f"{kind}_stride{i}", axis.stride))
    ]


def line_arguments(
    problem: Problem, ctype: str = "int", **sizes: int
) -> list[tuple[str, Argument]]:
    """x, y and sizes: what a kernel takes that goes along the lines of its first input."""
    return [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        *((name, Scalar(size, ctype)) for name, size in sizes.items()),
    ]


def reduced_axes(problem: Problem) -> tuple[int, ...]:
    """The axes that are reduced, 0..rank-1, sorted."""
    given = problem.constant(1) if problem.has(1) else None
    rank = problem.x.rank
    if given is None or given.size == 0:
        return () if problem.node.attrs.noop_with_empty_axes else tuple(range(rank))
    return tuple(sorted(int(a) % rank for a in given.reshape(-1)))


def both_sides(problem: Problem) -> tuple[int, int, int] | None:
    """(reduced, kept, reduced) if the axes that are kept are neighbours amid those that are reduced, else None."""
    axes = merged_axes(problem.x.shape, reduced_axes(problem))
    if [axis.reduced for axis in axes] != [True, False, True]:
        return None
    return axes[0].size, axes[1].size, axes[2].size


def neighbours(problem: Problem) -> tuple[int, int, int] | None:
    """(outer, reduced, inner) if the reduced axes are neighbours, else None."""
    axes = merged_axes(problem.x.shape, reduced_axes(problem))
    kinds = [axis.reduced for axis in axes]
    if sum(kinds) != 1:
        return None
    at = kinds.index(True)
    outer = math.prod(axis.size for axis in axes[:at])
    return outer, axes[at].size, math.prod(axis.size for axis in axes[at + 1 :])

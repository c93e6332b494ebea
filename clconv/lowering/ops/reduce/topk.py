"""Variants of TopK: on CPUs a search for one element, a heap for each line for several; counting who is before whom
elsewhere."""

from __future__ import annotations

import math

from clconv.graph.ir import TensorSpec
from clconv.lowering.copies.movement import outputs
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.ops.reduce.arg_reduce import arg_call
from clconv.lowering.shared.work_split import nested


def _axis(problem: Problem) -> tuple[int, int, int]:
    """(length of the axis, elements behind it, lines)."""
    shape: tuple[int, ...] = problem.x.shape
    axis = problem.node.attrs.axis % len(shape)
    return shape[axis], math.prod(shape[axis + 1 :]), problem.x.size // shape[axis]


def _found(problem: Problem) -> dict[int, tuple[Argument, TensorSpec]]:
    return {i: (write, spec) for i, write, spec in outputs(problem)}


def _count(problem: Problem) -> int:
    known = problem.constant(1)
    assert known is not None  # the shape rule needed it
    return int(known.reshape(-1)[0])


def _best_applies(problem: Problem) -> str | None:
    if problem.device.is_cpu and _count(problem) != 1:
        return "it finds one element of each line"
    return _heap_applies(problem)


def _best_lower(problem: Problem) -> Lowered:
    found = _found(problem)
    if not found or not found[min(found)][1].size:
        return Lowered()
    results = {("values", "y")[i]: write for i, (write, _) in found.items()}
    largest, axis = bool(problem.node.attrs.largest), problem.node.attrs.axis % problem.x.rank
    better = ">" if largest else "<"
    return Lowered((arg_call(problem, axis, results, better, nan_wins=largest),))


def _heap_applies(problem: Problem) -> str | None:
    if not problem.device.is_cpu:
        return "one item for each line is too little for a GPU"
    return arithmetic_obstacle(problem)


def _heap_lower(problem: Problem) -> Lowered:
    found = _found(problem)
    if not found or not found[min(found)][1].size:
        return Lowered()
    length, inner, lines = _axis(problem)
    k = _count(problem)
    scratch = {}
    targets = []
    for index, itemsize in ((0, problem.x.dtype.itemsize), (1, 8)):
        if index in found:
            targets.append(found[index][0])
            continue
        # The heap lies in both outputs; one that nobody wants needs a place all the same.
        name = f"{problem.node.name}:output{index}"
        scratch[name] = lines * k * itemsize
        targets.append(Write(name))
    chunk = max(1, min(lines // (8 * problem.device.compute_units), 65536 // length))
    kernel = Kernel.of(
        "reduce/topk/heap.cl.mako",
        "topk_heap",
        type=C_TYPES[problem.x.dtype.value],
        largest=bool(problem.node.attrs.largest),
        is_float=problem.x.dtype.is_float,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("values", targets[0]),
        ("places", targets[1]),
        ("length", Scalar(length)),
        ("k", Scalar(k)),
        ("inner", Scalar(inner)),
        ("lines", Scalar(lines)),
        ("chunk", Scalar(chunk)),
    ]
    return Lowered((problem.call(kernel, arguments, (-(-lines // chunk),)),), scratch)


def _rank_lower(problem: Problem) -> Lowered:
    found = _found(problem)
    if not found or not found[min(found)][1].size:
        return Lowered()
    length, inner, lines = _axis(problem)
    chunk = max(1, 1024 // length) if problem.device.is_cpu else _gpu_chunk(lines)
    kernel = Kernel.of(
        "reduce/topk/rank.cl.mako",
        "topk_rank",
        type=C_TYPES[problem.x.dtype.value],
        largest=bool(problem.node.attrs.largest),
        is_float=problem.x.dtype.is_float,
        values=0 in found,
        places=1 in found,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        *((("values", "places")[i], found[i][0]) for i in sorted(found)),
        ("length", Scalar(length)),
        ("k", Scalar(_count(problem))),
        ("inner", Scalar(inner)),
        ("lines", Scalar(lines)),
        ("chunk", Scalar(chunk)),
    ]
    return Lowered((problem.call(kernel, arguments, (length, -(-lines // chunk))),))


def _gpu_chunk(lines: int) -> int:
    """Lines that one item ranks an element of."""
    return -(-lines // 32768)


def _rank_rounds(problem: Problem) -> int:
    length, _, lines = _axis(problem)
    return nested(_gpu_chunk(lines), length)


register(
    Variant("TopK", "best", _best_applies, _best_lower),
    Variant("TopK", "heap", _heap_applies, _heap_lower),
    Variant("TopK", "rank", arithmetic_obstacle, _rank_lower, rounds=_rank_rounds),
)

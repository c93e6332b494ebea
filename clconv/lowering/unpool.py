"""Variants of MaxUnpool and Col2Im, on plain tensors."""

from __future__ import annotations

import math

from clconv.graph.ops.unpool import column_positions, unpooled_size
from clconv.lowering.arguments import Argument, Scalar, Write
from clconv.lowering.fill import fill_call
from clconv.lowering.indexed import index_type
from clconv.lowering.kernel import (
    Kernel,
    Lowered,
    Problem,
    Variant,
    always,
    register,
)
from clconv.lowering.obstacles import arithmetic_obstacle
from clconv.lowering.reorder import C_TYPES, MOVE_TYPES
from clconv.lowering.share import items, share_of


def _unpool_lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    if not y.size:
        return Lowered()
    natural = unpooled_size(problem.node.attrs, x.shape[2:])
    write = Write(problem.node.outputs[0])
    fill = fill_call(problem, write, 0, y.size, y.dtype)
    if not x.size:
        return Lowered((fill,))
    kernel = Kernel.of(
        "unpool/scatter.cl.mako",
        "unpool_scatter",
        type=MOVE_TYPES[x.dtype.itemsize],
        index=index_type(problem.input(1)),
        spatial=len(natural),
    )
    share = share_of(problem.device, x.size)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("indices", problem.argument(1)),
        ("y", write),
        *((f"natural{i}", Scalar(size)) for i, size in enumerate(natural)),
        *((f"out{i}", Scalar(size)) for i, size in enumerate(y.shape[2:])),
        ("limit", Scalar(math.prod((*x.shape[:2], *natural)), "long")),
        ("total", Scalar(x.size, "long")),
        ("share", Scalar(share, "long")),
    ]
    return Lowered((fill, problem.call(kernel, arguments, (items(x.size, share),))))


def _ints(problem: Problem, index: int) -> tuple[int, ...]:
    known = problem.constant(index)
    assert known is not None  # the shape rule needed it
    return tuple(int(v) for v in known.reshape(-1))


def _col2im_lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    if not y.size:
        return Lowered()
    image, window = _ints(problem, 1), _ints(problem, 2)
    counts, strides, dilations, pads = column_positions(problem.node.attrs, image, window)
    axes = range(len(image))
    kernel = Kernel.of(
        "unpool/col2im.cl.mako",
        "col2im",
        type=C_TYPES[x.dtype.value],
        sum_type="long" if not x.dtype.is_float else C_TYPES[x.dtype.value],
        spatial=len(image),
    )
    share = share_of(problem.device, y.size, least=512)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        *((f"size{i}", Scalar(image[i])) for i in axes),
        *((f"window{i}", Scalar(window[i])) for i in axes),
        *((f"count{i}", Scalar(counts[i])) for i in axes),
        *((f"stride{i}", Scalar(strides[i])) for i in axes),
        *((f"dilation{i}", Scalar(dilations[i])) for i in axes),
        *((f"pad{i}", Scalar(pads[i])) for i in axes),
        ("total", Scalar(y.size, "long")),
        ("share", Scalar(share, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (items(y.size, share),)),))


register(Variant("MaxUnpool", "scatter", always, _unpool_lower))
register(Variant("Col2Im", "simple", arithmetic_obstacle, _col2im_lower))

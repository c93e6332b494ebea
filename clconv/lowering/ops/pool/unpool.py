"""Variants of MaxUnpool and Col2Im, on plain tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clconv.graph.ir import DType
from clconv.graph.ops.pool.unpool import column_positions, may_count_default, unpooled_size
from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES, MOVE_TYPES
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Variant, always, register
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.shared.fill import fill_call
from clconv.lowering.shared.indexed import index_type
from clconv.lowering.shared.work_split import elements_per_item, items


def _unpool_lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    if not y.size:
        return Lowered()
    natural = unpooled_size(problem.node.attrs, x.shape[2:])
    write = Write(problem.node.outputs[0])
    fill = fill_call(problem, write, 0, y.size, y.dtype)
    if not x.size:
        return Lowered((fill,))
    undecided = may_count_default(natural, y.shape[2:])
    kernel = Kernel.of(
        "pool/unpool/scatter.cl.mako",
        "unpool_scatter",
        type=MOVE_TYPES[x.dtype.itemsize],
        index=index_type(problem.input(1)),
        spatial=len(natural),
        undecided=undecided,
    )
    flags = f"{problem.node.name}:outside"
    per_item = elements_per_item(problem.device, x.size)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("indices", problem.argument(1)),
        *([("outside", Read(flags))] if undecided else []),
        ("y", write),
        *_sizes(natural, y.shape[2:]),
        ("planes", Scalar(math.prod(x.shape[:2]), "long")),
        ("total", Scalar(x.size, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    scatter = problem.call(kernel, arguments, (items(x.size, per_item),))
    if not undecided:
        return Lowered((fill, scatter))
    return Lowered((fill, *_window_calls(problem, natural, flags), scatter), {flags: 8})


def _sizes(natural: Sequence[int], out: Sequence[int]) -> list[tuple[str, Argument]]:
    return [
        *((f"natural{i}", Scalar(size)) for i, size in enumerate(natural)),
        *((f"out{i}", Scalar(size)) for i, size in enumerate(out)),
    ]


def _window_calls(problem: Problem, natural: tuple[int, ...], flags: str) -> list[KernelCall]:
    """The launches that find whether an index lies outside its element's window, in an image of either size."""
    x, at = problem.x, problem.node.attrs
    axes = range(len(natural))
    kernel = Kernel.of(
        "pool/unpool/windows.cl.mako",
        "unpool_windows",
        index=index_type(problem.input(1)),
        spatial=len(natural),
    )
    per_item = elements_per_item(problem.device, x.size)
    arguments: list[tuple[str, Argument]] = [
        ("indices", problem.argument(1)),
        ("outside", Write(flags)),
        *_sizes(natural, problem.y.shape[2:]),
        *((f"size{i}", Scalar(x.shape[2 + i])) for i in axes),
        *((f"window{i}", Scalar(at.kernel_shape[i])) for i in axes),
        *((f"stride{i}", Scalar(at.strides[i])) for i in axes),
        *((f"pad{i}", Scalar(at.pads[i])) for i in axes),
        ("total", Scalar(x.size, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    clear = fill_call(problem, Write(flags), 0, 2, DType.INT32)
    return [clear, problem.call(kernel, arguments, (items(x.size, per_item),))]


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
        "pool/unpool/col2im.cl.mako",
        "col2im",
        type=C_TYPES[x.dtype.value],
        sum_type="long" if not x.dtype.is_float else C_TYPES[x.dtype.value],
        spatial=len(image),
    )
    per_item = elements_per_item(problem.device, y.size, least=512)
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
        ("per_item", Scalar(per_item, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (items(y.size, per_item),)),))


register(Variant("MaxUnpool", "scatter", always, _unpool_lower))
register(Variant("Col2Im", "simple", arithmetic_obstacle, _col2im_lower))

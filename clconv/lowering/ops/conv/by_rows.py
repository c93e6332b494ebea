"""Some rows of a convolution on channel blocks, by the kernel that computes all: other sizes, and addresses further on.

A kernel takes from the height of a tensor where its next channel block lies, so a band's memory is an image of few rows to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.rows import ByRows, HeldRows, Rows
from clconv.lowering.ops.conv.runs import Runs
from clconv.lowering.ops.conv.shape import ITEMS_A_CORE, ConvShape
from clconv.lowering.shared.epilogue import Epilogue


def pointwise_rows(
    problem: Problem, epilogue: Epilogue, dealt: Callable[[int], Runs]
) -> ByRows | None:
    """Of a direct convolution with windows of one pixel. dealt: how so many pixels go to items."""
    return _by_rows(problem, epilogue, 1, True, functools.partial(_pointwise_part, dealt))


def depthwise_rows(problem: Problem, epilogue: Epilogue) -> ByRows | None:
    """Of a depthwise convolution that pads with zeros: other rows of padding may be anywhere in the image."""
    shape = ConvShape.of(problem)
    if shape.padding not in ("none", "constant"):
        return None
    reach = (shape.kernel[0] - 1) * shape.dilations[0] + 1
    cores = problem.device.compute_units
    part = functools.partial(_depthwise_part, cores)
    return _by_rows(problem, epilogue, reach, False, part)


def _by_rows(
    problem: Problem,
    epilogue: Epilogue,
    reach: int,
    further: bool,
    part: Callable[[ByRows, KernelCall, Rows, HeldRows, HeldRows], KernelCall],
) -> ByRows | None:
    """None where the rows of a channel block do not lie side by side, or where a constant has the result's size."""
    x, y, at = problem.x, problem.y, problem.node.attrs
    arguments = dict(epilogue.arguments)
    moves = all(isinstance(arguments[name], Read) for name in epilogue.alike)
    if x.layout.is_plain or y.layout.is_plain or x.rank != 4 or not moves or not y.size:
        return None
    (height, width), (out_height, out_width) = x.shape[2:], y.shape[2:]
    lines = tuple(w * s.layout.block * s.dtype.itemsize for w, s in ((width, x), (out_width, y)))
    return ByRows(
        (height, width), (out_height, out_width), (lines[0], lines[1]), y.nbytes // out_height, reach, at.strides[0],
        at.pads[0], further, tuple(epilogue.alike), part,
    )  # fmt: skip


def _pointwise_part(
    dealt: Callable[[int], Runs],
    this: ByRows,
    call: KernelCall,
    rows: Rows,
    source: HeldRows,
    target: HeldRows,
) -> KernelCall:
    """The image is one row to this kernel, as wide as it has pixels."""
    width = this.size[1]
    runs = dealt(rows.count * width)
    filters_last = dict(call.arguments)["filters_last"]
    assert isinstance(filters_last, Scalar)
    first, second, third = call.global_size
    return call.replacing(
        (runs.items, second, third) if filters_last.value else (first, runs.items, third),
        width=Scalar(source.rows.count * width),
        out_width=Scalar(target.rows.count * width),
        run=Scalar(runs.run),
        runs=Scalar(runs.runs),
        length=Scalar(runs.length),
        x=_further(call, "x", source, (rows.begin - source.rows.begin) * this.lines[0]),
        **_results(this, call, rows, target),
    )


def _depthwise_part(
    cores: int, this: ByRows, call: KernelCall, rows: Rows, source: HeldRows, target: HeldRows
) -> KernelCall:
    """An item must not compute rows behind the band, so how many it takes divides the band's. Each core has rows of its own where
    that can be."""
    blocks, _, batch = call.global_size
    most = max(1, rows.count * blocks * batch // (ITEMS_A_CORE * cores))
    fitting = [n for n in range(1, most + 1) if rows.count % n == 0]
    each = max([n for n in fitting if rows.count // n % cores == 0] or fitting)
    return call.replacing(
        (blocks, rows.count // each, batch),
        height=Scalar(source.rows.count),
        out_height=Scalar(target.rows.count),
        pad_top=Scalar(this.before - rows.begin * this.stride + source.rows.begin),
        rows=Scalar(each),
        x=_further(call, "x", source, 0),
        **_results(this, call, rows, target),
    )


def _results(this: ByRows, call: KernelCall, rows: Rows, target: HeldRows) -> dict[str, Argument]:
    """Where these rows of the result go, and those of other values of its size, which have all rows as the result has."""
    below = (rows.begin - target.rows.begin) * this.lines[1]
    names = ("y", *this.alike)
    return {name: _further(call, name, target, below) for name in names}


def _further(call: KernelCall, name: str, held: HeldRows, nbytes: int) -> Argument:
    """An argument that is a value, so many bytes further on, or in the memory that holds some of its rows."""
    argument = dict(call.arguments)[name]
    assert isinstance(argument, Read | Write)
    value, offset = (held.name, 0) if held.name else (argument.value, argument.offset)
    return type(argument)(value, offset + nbytes)

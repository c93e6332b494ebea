"""ReduceSum over images and pixels on CPUs, one sum a channel: the gradient of a convolution's bias.

Channel blocks are read as they lie. The first launch sums pixels, the second what that left of each image.
"""

from __future__ import annotations

import math

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.choice.limits import size_obstacle
from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant
from clconv.lowering.model.obstacles import has_double
from clconv.lowering.shared.axes import Axis, axis_arguments, reduced_axes
from clconv.lowering.shared.reduction import FLOAT_REDUCTIONS
from clconv.lowering.shared.work_split import elements_per_item, items
from clconv.records import record

_SUM = FLOAT_REDUCTIONS["ReduceSum"]
_LEAST = 256  # pixels of a part


@record(frozen=True)
class _Parts:
    """Partial sums (images, lanes, count, block), each of `pixels` pixels."""

    images: int
    lanes: int
    count: int
    pixels: int
    block: int

    @classmethod
    def of(cls, problem: Problem) -> _Parts:
        images, channels, *spatial = problem.x.shape
        block, pixels, count = problem.x.layout.block, math.prod(spatial), 1
        lanes = items(channels, block)
        enough = 4 * problem.device.compute_units
        while images * lanes * count < enough and not pixels % (2 * count):
            if pixels // (2 * count) < _LEAST:
                break
            count *= 2
        return cls(images, lanes, count, pixels // count, block)

    @property
    def lines(self) -> int:
        return self.images * self.lanes * self.count


def _applies(problem: Problem) -> str | None:
    x, device = problem.x, problem.device
    if not device.is_cpu or device.vector_width == 1:
        return "needs a CPU device with vectors"
    if x.dtype is not DType.FLOAT32:
        return f"needs float32, got {x.dtype.value}"
    if x.rank < 3 or reduced_axes(problem) != (0, *range(2, x.rank)):
        return "needs all axes but that of the channels, and pixels among them"
    if x.size == 0:
        return "needs elements"
    return size_obstacle(x.with_layout(Layout(device.vector_width)), device)


def _signatures(problem: Problem) -> list[Signature]:
    axes = (PLAIN,) * (len(problem.inputs) - 1)
    layouts = (Layout(problem.device.vector_width), PLAIN)
    return [Signature((x, *axes), (PLAIN,)) for x in layouts]


def _lower(problem: Problem) -> Lowered:
    parts, name = _Parts.of(problem), f"{problem.node.name}:parts"
    calls = (_pixels_call(problem, parts, name), _images_call(problem, parts, name))
    return Lowered(calls, scratch={name: 4 * parts.lines * parts.block})


def _pixels_call(problem: Problem, parts: _Parts, scratch: str) -> KernelCall:
    work = parts.lines * parts.pixels * parts.block
    rows = items(elements_per_item(problem.device, work), parts.pixels * parts.block)
    sizes = {"outer": parts.lines, "n": parts.pixels}
    settings = {"width": problem.device.vector_width, "op": _SUM, "top": None}
    if parts.block == 1:
        kernel = Kernel.of("reduce/rows.cl.mako", "reduce_rows", **settings)
        space: tuple[int, ...] = (items(parts.lines, rows),)
        sizes |= {"rows": rows}
    else:
        kernel = Kernel.of("reduce/columns.cl.mako", "reduce_columns", **settings)
        space = (1, items(parts.lines, rows))
        sizes |= {"inner": parts.block, "rows": rows, "columns": parts.block}
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(scratch)),
        *((key, Scalar(size, "int")) for key, size in sizes.items()),
    ]
    return problem.call(kernel, arguments, space)


def _images_call(problem: Problem, parts: _Parts, scratch: str) -> KernelCall:
    y, block = problem.y, parts.block
    lane = parts.count * block
    kept = [Axis(parts.lanes, lane, False), Axis(block, 1, False)]
    summed = [Axis(parts.images, parts.lanes * lane, True), Axis(parts.count, block, True)]
    wide = "double" if has_double(problem.device) else "float"
    kernel = Kernel.of(
        "reduce/strided.cl.mako",
        "reduce_strided",
        kept=2,
        reduced=2,
        source="float",
        target=c_type(y.dtype),
        sum=wide,
        wide=wide,
        conversion=f"({c_type(y.dtype)})result",
        op=_SUM,
        top=None,
    )
    n = parts.images * parts.count
    per_item = items(elements_per_item(problem.device, y.size * n), n)
    arguments: list[tuple[str, Argument]] = [
        ("x", Read(scratch)),
        ("y", Write(problem.node.outputs[0])),
        ("total", Scalar(y.size, "long")),
        ("per_item", Scalar(per_item, "long")),
        ("n", Scalar(n, "long")),
        *axis_arguments(kept, summed),
    ]
    return problem.call(kernel, arguments, (items(y.size, per_item),))


EACH_CHANNEL = Variant("ReduceSum", "each_channel", _applies, _lower, _signatures)

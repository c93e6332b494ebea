"""MaxPool of bytes on channel blocks for CPUs: quantised networks pool what is rounded already."""

from __future__ import annotations

from clconv.graph.ir import DType, Layout
from clconv.lowering.choice.limits import size_obstacle
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.shared.blocked import image_arguments, pair, rows_per_item
from clconv.lowering.shared.work_split import items

_MOST_COLUMNS = 16  # of a window, which are unrolled
_MOST_TAPS = 1024


def _applies(problem: Problem) -> str | None:
    at, x = problem.node.attrs, problem.x
    if x.dtype is not DType.UINT8:
        return f"needs uint8, got {x.dtype.value}"
    if not problem.device.is_cpu or problem.device.vector_width not in (4, 8, 16):
        return "channel blocks of bytes are for CPU devices with vectors of 4, 8 or 16 lanes"
    if any(problem.node.outputs[1:]):
        return "the indices of the maxima are wanted"
    if x.rank not in (3, 4) or at.pad_mode != "constant":
        return "needs one or two spatial axes, and pads that no maximum chooses"
    height, width = pair(at.kernel_shape, 1)
    if width > _MOST_COLUMNS or height * width > _MOST_TAPS:
        return f"the window has more than {_MOST_COLUMNS} columns or {_MOST_TAPS} pixels"
    blocked = Layout(problem.device.vector_width)
    found = (size_obstacle(s.with_layout(blocked), problem.device) for s in (x, problem.y))
    return next(filter(None, found), None)


def _lower(problem: Problem) -> Lowered:
    at, x, y, lanes = problem.node.attrs, problem.x, problem.y, problem.device.vector_width
    if not y.size:
        return Lowered()
    kernel = Kernel.of(
        "pool/bytes.cl.mako",
        "pool_bytes",
        lanes=lanes,
        kernel=pair(at.kernel_shape, 1),
        strides=pair(at.strides, 1),
        dilations=pair(at.dilations, 1),
    )
    out, blocks = pair(y.shape[2:], 1), items(x.shape[1], lanes)
    rows = rows_per_item(problem, out[0], blocks * x.shape[0])
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        *image_arguments(pair(x.shape[2:], 1), out, pair(at.pads[: x.rank - 2], 0)),
        ("rows", Scalar(rows)),
    ]
    return Lowered((problem.call(kernel, arguments, (items(out[0], rows), blocks, x.shape[0])),))


def _signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [Signature((blocked,), (blocked,) * len(problem.outputs))]


register(Variant("MaxPool", "bytes", _applies, _lower, _signatures))

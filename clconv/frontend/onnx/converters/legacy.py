"""Broadcasting before opset 7: only where `broadcast` asks for it, from `axis` on, or by the channel."""

from __future__ import annotations

import numpy as np

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.default import convert_default, copy_node


def _binary(source: Source, build: Builder) -> None:
    """The second operand's axes are axis, axis + 1, ... of the first; without an axis the last ones."""
    if source.opset >= 7:
        convert_default(source, build)
        return
    a, b = source.inputs
    axis = source.attrs.get("axis")
    if source.attrs.get("broadcast") and axis is not None:
        ranks = build.rank(a), build.rank(b)
        if ranks[0] is None or ranks[1] is None:
            source.unsupported(f"broadcast from axis {axis} of operands whose ranks are not known")
        behind = ranks[0] - ranks[1] - (axis if axis >= 0 else axis + ranks[0])
        if behind < 0:
            source.fail(
                f"operand of rank {ranks[1]} does not fit rank {ranks[0]} from axis {axis} on"
            )
        b = _with_axes_behind(source, build, b, behind)
    copy_node(source, build, source.op, (a, b), source.without("broadcast", "axis"))


def _prelu(source: Source, build: Builder) -> None:
    """Until opset 6 a slope with more than one element belongs to the channels, axis 1."""
    slope = source.input(1)
    shape = build.shape(slope)
    if source.opset < 7 and shape is not None and len(shape) == 1 and shape[0] != 1:
        rank = build.rank(source.input(0))
        if rank is None:
            source.unsupported("a slope for each channel of an input whose rank is not known")
        slope = _with_axes_behind(source, build, slope, max(rank - 2, 0))
    copy_node(source, build, "PRelu", (source.input(0), slope), source.attrs)


def _gemm(source: Source, build: Builder) -> None:
    """`broadcast` allowed what is always allowed since opset 7."""
    copy_node(source, build, "Gemm", source.inputs, source.without("broadcast"))


def _with_axes_behind(source: Source, build: Builder, name: str, count: int) -> str:
    """The value with so many axes of size 1 behind its own."""
    if not count:
        return name
    axes = build.integers(source, np.arange(-count, 0), "axes")
    return build.helper(source, "Unsqueeze", (name, axes), "aligned")


CONVERTERS: dict[str, Converter] = {
    **dict.fromkeys(
        ("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"), _binary
    ),
    "PRelu": _prelu,
    "Gemm": _gemm,
}

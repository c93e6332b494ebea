"""Softmax, LogSoftmax and Hardmax: before opset 13 over all axes from `axis` on, then over one axis."""

from __future__ import annotations

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.default import convert_default


def _convert(source: Source, build: Builder) -> None:
    """Old form: the input is seen as a matrix, the axes before `axis` by the axes from it on."""
    if source.opset >= 13:
        convert_default(source, build)
        return
    axis = source.attrs.get("axis", 1)
    single = _single_axis(axis, build.shape(source.input(0)))
    if single is not None:
        build.emit(source.op, source.inputs, source.outputs, source.name, {"axis": single})
        return
    x = source.input(0)
    shape = build.helper(source, "Shape", (x,), "shape")
    matrix = build.helper(source, "Flatten", (x,), "matrix", axis=axis)
    result = build.values.fresh(f"{source.name}/rows")
    build.emit(source.op, (matrix,), (result,), source.name, {"axis": -1})
    name = build.node_names.fresh(f"{source.name}/reshape")
    # allowzero: the sizes are those of a tensor, so that 0 means 0
    build.emit("Reshape", (result, shape), source.outputs, name, {"allowzero": 1})


def _single_axis(axis: int, shape: tuple[object, ...] | None) -> int | None:
    """The one axis that the old form comes down to; None if there are several or it is not known."""
    if axis == -1:
        return -1
    if shape is None or not -len(shape) <= axis < len(shape):
        return None
    first = axis % len(shape)
    wide = [i for i in range(first, len(shape)) if shape[i] != 1]
    if len(wide) > 1:
        return None
    return wide[0] if wide else len(shape) - 1


CONVERTERS: dict[str, Converter] = dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _convert)

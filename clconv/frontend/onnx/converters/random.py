"""Random numbers: the shape becomes an input, whether it was an attribute or that of another value."""

from __future__ import annotations

from onnx import TensorProto

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.create import dtype_attribute
from clconv.graph.ir import DType


def _random(source: Source, build: Builder) -> None:
    attrs = {k: v for k, v in source.attrs.items() if k not in ("shape", "dtype")}
    op = source.op.removesuffix("Like")
    x = source.input(0)
    dtype = DType.FLOAT32
    if "dtype" in source.attrs:
        dtype = dtype_attribute(source, source.attrs["dtype"])
    elif x:
        dtype = build.dtype(x) or dtype
    if x:
        shape = build.helper(source, "Shape", (x,), "shape")
    else:
        shape = build.integers(source, source.attrs["shape"], "shape")
    build.emit(op, (shape,), source.outputs, source.name, {**attrs, "dtype": dtype.value})


def _multinomial(source: Source, build: Builder) -> None:
    dtype = dtype_attribute(source, source.attrs.get("dtype", TensorProto.INT32))
    attrs = {**source.attrs, "dtype": dtype.value}
    build.emit("Multinomial", source.inputs, source.outputs, source.name, attrs)


CONVERTERS: dict[str, Converter] = {
    **dict.fromkeys(
        ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"), _random
    ),
    "Multinomial": _multinomial,
}

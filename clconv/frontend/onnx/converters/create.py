"""Operators whose dtype is an attribute, and small ones that are written with others."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.default import convert_default, copy_node
from clconv.frontend.onnx.reading.tensors import DTYPES, dtype_name
from clconv.graph.ir import DType


def dtype_attribute(source: Source, enum: Any) -> DType:
    """The DType that an attribute names; UnsupportedError if clconv has none for it."""
    if isinstance(enum, str):  # until opset 5
        names = TensorProto.DataType.keys()
        enum = TensorProto.DataType.Value(enum) if enum in names else -1
    if enum not in DTYPES:
        source.unsupported(f"element type {dtype_name(enum)}")
    return DTYPES[enum]


def _cast(source: Source, build: Builder) -> None:
    to = dtype_attribute(source, source.attrs["to"]).value
    copy_node(source, build, "Cast", source.inputs, {**source.attrs, "to": to})


def _with_dtype(name: str) -> Converter:
    """A converter that writes the element type in one optional attribute by its name."""

    def convert(source: Source, build: Builder) -> None:
        attrs = dict(source.attrs)
        if attrs.get(name):  # 0: none is given
            attrs[name] = dtype_attribute(source, attrs[name]).value
        else:
            attrs.pop(name, None)
        copy_node(source, build, source.op, source.inputs, attrs)

    return convert


def _constant_of_shape(source: Source, build: Builder) -> None:
    value = source.attrs.get("value", np.zeros(1, np.float32))
    if value.size != 1:
        source.fail(f"value must hold one element, it has shape {value.shape}")
    attrs = {"value": value.reshape(-1)[0].item(), "dtype": DType.of(value).value}
    copy_node(source, build, "ConstantOfShape", source.inputs, attrs)


def _identity(source: Source, build: Builder) -> None:
    constant = build.constants.get(source.input(0))
    if constant is None:
        convert_default(source, build)
    else:  # weights shared by several names stay one constant
        build.constants[source.output(0)] = constant


def _mean(source: Source, build: Builder) -> None:
    total = build.helper(source, "Sum", source.inputs, "sum")
    count = build.scalar_like(source, len(source.inputs), source.input(0), "count")
    build.emit("Div", (total, count), source.outputs, source.name)


def _scatter(source: Source, build: Builder) -> None:
    copy_node(source, build, "ScatterElements", source.inputs, source.attrs)


def _dft(source: Source, build: Builder) -> None:
    """Until opset 19 the axis was an attribute, and another one by default."""
    if source.opset >= 20:
        convert_default(source, build)
        return
    attrs = {k: v for k, v in source.attrs.items() if k != "axis"}
    axis = build.integers(source, source.attrs.get("axis", 1), "axis")
    copy_node(source, build, "DFT", (source.input(0), source.input(1), axis), attrs)


def _mel_weights(source: Source, build: Builder) -> None:
    dtype = dtype_attribute(source, source.attrs.get("output_datatype", TensorProto.FLOAT)).value
    build.emit(
        "MelWeightMatrix", source.inputs, source.outputs, source.name, {"output_datatype": dtype}
    )


CONVERTERS: dict[str, Converter] = {
    "Cast": _cast,
    "DFT": _dft,
    "MelWeightMatrix": _mel_weights,
    "EyeLike": _with_dtype("dtype"),
    "QuantizeLinear": _with_dtype("output_dtype"),
    "DequantizeLinear": _with_dtype("output_dtype"),
    "ConstantOfShape": _constant_of_shape,
    "Identity": _identity,
    "Mean": _mean,
    "Scatter": _scatter,
}

"""Quantised element-wise operators and pooling: dequantised, computed in float32, quantised again.

That is how onnxruntime's own kernels compute them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters import create, window

TO_LAST, TO_FIRST = "channels last", "channels first"


def real(source: Source, build: Builder, first: int) -> str:
    """Three inputs from `first` on, integers, scale and zero point, as float32."""
    inputs = _trimmed(source.input(i) for i in range(first, first + 3))
    return build.helper(source, "DequantizeLinear", inputs, "real")


def emit_integers(source: Source, build: Builder, x: str, scale_and_zero: Sequence[str]) -> None:
    """The node's output: x quantised."""
    inputs = _trimmed((x, *scale_and_zero))
    build.emit("QuantizeLinear", inputs, source.outputs[:1], source.name)


def _trimmed(names: Any) -> list[str]:
    kept = list(names)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def moved(source: Source, build: Builder, x: str, where: str, rank: int | None = None) -> str:
    """x with its channels moved to the front or to the back."""
    rank = rank or build.rank(x)
    if rank is None:
        source.unsupported("channels_last for an input whose rank is not known")
    perm = (0, *range(2, rank), 1) if where is TO_LAST else (0, rank - 1, *range(1, rank - 1))
    return build.helper(source, "Transpose", (x,), "moved", perm=perm)


def _unary(op: str, *kept: str) -> Converter:
    """x, its scale and zero point, and those of the result."""

    def convert(source: Source, build: Builder) -> None:
        attrs = {k: source.attrs[k] for k in kept if k in source.attrs}
        result = build.helper(source, op, (real(source, build, 0),), "result", **attrs)
        emit_integers(source, build, result, source.inputs[3:5])

    return convert


def _binary(op: str) -> Converter:
    def convert(source: Source, build: Builder) -> None:
        operands = [real(source, build, 0), real(source, build, 3)]
        result = build.helper(source, op, operands, "result")
        emit_integers(source, build, result, source.inputs[6:8])

    return convert


def _concat(source: Source, build: Builder) -> None:
    """Scale and zero point of the result come first, then three inputs for each part."""
    parts = [real(source, build, i) for i in range(2, len(source.inputs), 3)]
    result = build.helper(source, "Concat", parts, "result", axis=source.attrs["axis"])
    emit_integers(source, build, result, source.inputs[:2])


def _where(source: Source, build: Builder) -> None:
    inputs = (source.input(0), real(source, build, 1), real(source, build, 4))
    result = build.helper(source, "Where", inputs, "result")
    emit_integers(source, build, result, source.inputs[7:9])


def _softmax(source: Source, build: Builder) -> None:
    if source.attrs.get("opset", 13) < 13:
        rank, axis = build.rank(source.input(0)), source.attrs.get("axis", 1)
        if not rank or axis % rank != rank - 1:
            source.unsupported("the form before opset 13 of an axis that is not the last")
    x = real(source, build, 0)
    axis = {"axis": source.attrs.get("axis", -1)}
    emit_integers(
        source, build, build.helper(source, "Softmax", (x,), "result", **axis), source.inputs[3:5]
    )


def _reduce_mean(source: Source, build: Builder) -> None:
    inputs = [real(source, build, 0)]
    if "axes" in source.attrs:
        inputs.append(build.integers(source, source.attrs["axes"], "axes"))
    attrs = {"keepdims": source.attrs.get("keepdims", 1)}
    result = build.helper(source, "ReduceMean", inputs, "result", **attrs)
    emit_integers(source, build, result, source.inputs[3:5])


def _pool(op: str) -> Converter:
    """Pooling of x, its channels last where channels_last says so."""

    def convert(source: Source, build: Builder) -> None:
        last = source.attrs.get("channels_last", 0)
        x = real(source, build, 0)
        rank = build.rank(source.input(0))
        if op == "AveragePool":
            rank = len(source.attrs["kernel_shape"]) + 2
        if last:
            x = moved(source, build, x, TO_FIRST, rank)
        pooled = _emit_pool(source, build, op, x)
        if last:
            pooled = moved(source, build, pooled, TO_LAST, rank)
        emit_integers(source, build, pooled, source.inputs[3:5])

    return convert


def _emit_pool(source: Source, build: Builder, op: str, x: str) -> str:
    attrs = {k: v for k, v in source.attrs.items() if k != "channels_last"}
    if op == "GlobalAveragePool":
        return build.helper(source, op, (x,), "pooled")
    output = build.values.fresh(f"{source.name}/pooled")
    inner = dataclasses.replace(
        source,
        op=op,
        name=build.node_names.fresh(f"{source.name}/pool"),
        inputs=(x,),
        outputs=(output,),
        attrs=attrs,
    )
    window.CONVERTERS[op](inner, build)
    return output


def _nhwc_max_pool(source: Source, build: Builder) -> None:
    rank = len(source.attrs["kernel_shape"]) + 2
    first = moved(source, build, source.input(0), TO_FIRST, rank)
    pooled = _emit_pool(source, build, "MaxPool", first)
    back = moved(source, build, pooled, TO_LAST, rank)
    build.emit("Identity", (back,), source.outputs[:1], source.name)


CONVERTERS: dict[str, Converter] = {
    "QuantizeLinear": create.CONVERTERS["QuantizeLinear"],
    "DequantizeLinear": create.CONVERTERS["DequantizeLinear"],
    "QLinearAdd": _binary("Add"),
    "QLinearMul": _binary("Mul"),
    "QLinearLeakyRelu": _unary("LeakyRelu", "alpha"),
    "QLinearSigmoid": _unary("Sigmoid"),
    "QLinearSoftmax": _softmax,
    "QLinearConcat": _concat,
    "QLinearWhere": _where,
    "QLinearReduceMean": _reduce_mean,
    "QLinearAveragePool": _pool("AveragePool"),
    "QLinearGlobalAveragePool": _pool("GlobalAveragePool"),
    "NhwcMaxPool": _nhwc_max_pool,
}

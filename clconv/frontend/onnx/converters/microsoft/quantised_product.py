"""Quantised products: QLinearConv with its channels last, QGemm, and those with float32 on one side."""

from __future__ import annotations

import dataclasses

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters import window
from clconv.frontend.onnx.converters.microsoft.quantised import (
    TO_FIRST,
    TO_LAST,
    emit_integers,
    moved,
    real,
)

_CONV = window.CONVERTERS["QLinearConv"]


def _qlinear_conv(source: Source, build: Builder) -> None:
    last = source.attrs.get("channels_last", 0)
    attrs = {k: v for k, v in source.attrs.items() if k != "channels_last"}
    if not last:
        _CONV(dataclasses.replace(source, attrs=attrs), build)
        return
    rank = build.rank(source.input(3))
    x = moved(source, build, source.input(0), TO_FIRST, rank)
    output = build.values.fresh(f"{source.name}/product")
    inner = dataclasses.replace(
        source,
        name=build.node_names.fresh(f"{source.name}/conv"),
        inputs=(x, *source.inputs[1:]),
        outputs=(output,),
        attrs=attrs,
    )
    _CONV(inner, build)
    back = moved(source, build, output, TO_LAST, rank)
    build.emit("Identity", (back,), source.outputs, source.name)


def _q_gemm(source: Source, build: Builder) -> None:
    """A, B with scale and zero point each; C is int32 in units of the product of the scales.

    The result is float32 unless a scale for it is given.
    """
    attrs = {
        "transA": source.attrs.get("transA", 0),
        "transB": source.attrs.get("transB", 0),
        "alpha": source.attrs.get("alpha", 1.0),
    }
    operands = [real(source, build, 0), _weights(source, build, attrs["transB"])]
    if source.input(6):
        unit = build.helper(source, "Mul", (source.input(1), source.input(4)), "unit")
        bias = build.helper(source, "Cast", (source.input(6),), "bias", to="float32")
        scaled = build.helper(source, "Mul", (bias, unit), "scaled")
        operands.append(scaled)
        if attrs["alpha"] != 1.0:  # alpha belongs to the bias, too
            factor = build.scalar_like(source, attrs["alpha"], operands[0], "alpha")
            operands[2] = build.helper(source, "Mul", (scaled, factor), "alpha_bias")
    if source.input(7):
        product = build.helper(source, "Gemm", operands, "product", **attrs)
        emit_integers(source, build, product, source.inputs[7:9])
    else:
        build.emit("Gemm", operands, source.outputs, source.name, attrs)


def _weights(source: Source, build: Builder, transposed: int) -> str:
    """B as float32; a scale for each column lies along axis 0 where B is transposed."""
    inputs = [n for n in source.inputs[3:6] if n]
    axis = 0 if transposed else 1
    return build.helper(source, "DequantizeLinear", inputs, "weights", axis=axis)


def _dynamic_matmul(source: Source, build: Builder) -> None:
    """A quantised by its own range, times B (integers), as float32: inputs A, B, scale, zero, bias."""
    names = [build.values.fresh(f"{source.name}/a_{part}") for part in ("q", "scale", "zero")]
    quantise = build.node_names.fresh(f"{source.name}/quantise")
    build.emit("DynamicQuantizeLinear", source.inputs[:1], names, quantise)
    _emit_product(
        source, build, names, (source.input(1), source.input(2), source.input(3)), source.input(4)
    )


def _matmul_to_float(source: Source, build: Builder) -> None:
    """Inputs A, B, scale of A, scale of B, zero point of A, zero point of B, bias."""
    a = [source.input(0), source.input(2), source.input(4)]
    b = (source.input(1), source.input(3), source.input(5))
    _emit_product(source, build, a, b, source.input(6))


def _emit_product(
    source: Source, build: Builder, a: list[str], b: tuple[str, str, str], bias: str
) -> None:
    inputs = [a[0], b[0], a[2], b[2]]
    while not inputs[-1]:
        inputs.pop()
    sums = build.helper(source, "MatMulInteger", inputs, "sums")
    plain = build.helper(source, "Cast", (sums,), "plain", to="float32")
    unit = build.helper(source, "Mul", (a[1], b[1]), "unit")
    if bias:
        scaled = build.helper(source, "Mul", (plain, unit), "scaled")
        build.emit("Add", (scaled, bias), source.outputs, source.name)
    else:
        build.emit("Mul", (plain, unit), source.outputs, source.name)


CONVERTERS: dict[str, Converter] = {
    "QLinearConv": _qlinear_conv,
    "QGemm": _q_gemm,
    "DynamicQuantizeMatMul": _dynamic_matmul,
    "MatMulIntegerToFloat": _matmul_to_float,
}

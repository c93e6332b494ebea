"""Quantised products: QLinearConv with its channels last, QGemm, and those with float32 on one side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters import window
from clconv.frontend.onnx.converters.microsoft.quantised import (
    TO_FIRST,
    TO_LAST,
    emit_integers,
    moved,
    real,
)
from clconv.graph.ir import DType

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
    source: Source, build: Builder, a: Sequence[str], b: Sequence[str], bias: str
) -> None:
    product = scaled_sums(source, build, a, b)
    if bias:
        build.emit("Add", (product, bias), source.outputs, source.name)
    else:
        build.emit("Identity", (product,), source.outputs, source.name)


def scaled_sums(source: Source, build: Builder, a: Sequence[str], b: Sequence[str]) -> str:
    """The product of two matrices of integers as float32, each with its scale and its zero point, "" for 0."""
    inputs = [a[0], b[0], a[2], b[2]]
    while not inputs[-1]:
        inputs.pop()
    sums = build.helper(source, "MatMulInteger", inputs, "sums")
    plain = build.helper(source, "Cast", (sums,), "plain", to="float32")
    unit = build.helper(source, "Mul", (a[1], b[1]), "unit")
    return build.helper(source, "Mul", (plain, unit), "scaled")


def _few_bits(source: Source, build: Builder) -> None:
    """MatMulNBits: A (float) times weights of 2, 4 or 8 bits, (N, blocks, bytes of a block), that become floats now.

    Inputs A, B, scales (N, blocks), zero points (floats, or packed like B; by default half of the range), which group
    each k belongs to, bias. Within a byte the low bits come first.
    """
    if source.input(4):
        source.unsupported("groups of k that are not in order (g_idx)")
    if source.attrs.get("weight_prepacked", 0):
        source.unsupported("weights that are packed for one processor")
    bits, block = source.attrs.get("bits", 4), source.attrs["block_size"]
    rows, length = source.attrs["N"], source.attrs["K"]
    if bits not in (2, 4, 8) or min(rows, length, block) < 1:
        source.fail(f"bits {bits}, block_size {block}, N {rows} and K {length} do not fit")
    packed, scales = build.known(source.input(1)), build.known(source.input(2))
    zeros = build.known(source.input(3)) if source.input(3) else np.array(1 << (bits - 1))
    if packed is None or scales is None or zeros is None:
        source.unsupported("weights that are not constants")
    if packed.dtype != np.uint8 or scales.dtype.kind != "f" or zeros.dtype.kind not in "fiu":
        source.fail(
            f"weights of {packed.dtype}, scales of {scales.dtype} and zeros of {zeros.dtype}"
        )
    blocks = -(-length // block)
    _expect_elements(source, "B", packed, rows * blocks * (-(-block * bits // 8)))
    _expect_elements(source, "scales", scales, rows * blocks)
    if zeros.dtype == np.uint8 and zeros.ndim:
        per_row = -(-blocks * bits // 8)
        _expect_elements(source, "zero_points", zeros, rows * per_row)
        zeros = _unpacked(zeros.reshape(rows, per_row), bits)[:, :blocks]
    elif zeros.ndim:
        _expect_elements(source, "zero_points", zeros, rows * blocks)
    numbers = _unpacked(packed.reshape(rows, blocks, -1), bits)[..., :block]
    shifted = numbers.astype(np.float32) - zeros.reshape((rows, blocks, 1) if zeros.ndim else ())
    real_weights = shifted * scales.reshape(rows, blocks, 1).astype(np.float32)
    weights = real_weights.reshape(rows, -1)[:, :length].T.astype(scales.dtype)
    right = build.constant(source, weights, DType.of(scales), "weights")
    if source.input(5):
        product = build.helper(source, "MatMul", (source.input(0), right), "product")
        build.emit("Add", (product, source.input(5)), source.outputs, source.name)
    else:
        build.emit("MatMul", (source.input(0), right), source.outputs, source.name)


def _expect_elements(source: Source, what: str, array: np.ndarray, count: int) -> None:
    if array.size != count:
        source.fail(f"{what} has {array.size} elements, not {count}: {array.shape}")


def _unpacked(packed: np.ndarray, bits: int) -> np.ndarray:
    """Each byte's numbers one behind the other, the lowest bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    numbers = (packed[..., None] >> shifts) & np.uint8((1 << bits) - 1)
    return numbers.reshape(*packed.shape[:-1], -1)


CONVERTERS: dict[str, Converter] = {
    "QLinearConv": _qlinear_conv,
    "QGemm": _q_gemm,
    "DynamicQuantizeMatMul": _dynamic_matmul,
    "MatMulIntegerToFloat": _matmul_to_float,
    "MatMulNBits": _few_bits,
}

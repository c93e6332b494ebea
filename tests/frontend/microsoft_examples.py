"""One node of each of onnxruntime's operators, in all its forms."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

F, U8, I8 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT8


rng = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(0, 1, shape).astype(np.float32)


def whole(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    low, high = (0, 255) if dtype == np.uint8 else (-127, 127)
    return rng.integers(low, high, shape).astype(dtype)


def halved(*shape: int) -> np.ndarray:
    """Weights of 7 bits: onnxruntime's sums of two products saturate on processors without VNNI."""
    return rng.integers(-64, 64, shape).astype(np.int8)


def scale(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def zero(value: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.array(value, dtype)


@dataclasses.dataclass(frozen=True)
class Example:
    """A node on a fed first input; the other arrays are constants, None is absent."""

    op: str
    arrays: Sequence[np.ndarray | None]
    attrs: dict[str, Any] = dataclasses.field(default_factory=dict)
    output: int = F
    outputs: Sequence[str] = ("y",)
    fed: int = 1
    domain: str = "com.microsoft"
    opset: int = 14
    tolerance: float = 1e-5
    label: str = ""


QUANTISED = (scale(0.02), zero(120))

words = np.int32([[3, 0, 10, 7, 7], [1, 2, 3, 4, 5]])
RESULT = (scale(0.03), zero(7))

EXAMPLES = [
    Example("FusedConv", [normal(1, 3, 7, 7), normal(4, 3, 3, 3), normal(4)], {"activation": "Relu"}),
    Example(
        "FusedConv",
        [normal(1, 3, 7, 7), normal(4, 3, 3, 3), normal(4), normal(1, 4, 7, 7)],
        {"activation": "Relu", "pads": [1, 1, 1, 1]},
        label="with a sum",
    ),
    Example(
        "FusedConv",
        [normal(1, 4, 7, 7), normal(4, 2, 3, 3)],
        {"activation": "LeakyRelu", "activation_params": [0.3], "group": 2},
        label="leaky",
    ),
    Example(
        "FusedConv",
        [normal(1, 3, 7, 7), normal(4, 3, 3, 3), normal(4)],
        {"activation": "Clip", "activation_params": [-0.5, 0.7], "auto_pad": "SAME_UPPER"},
        label="clipped",
    ),
    Example(
        "FusedConv",
        [normal(1, 3, 7, 7), normal(4, 3, 3, 3), normal(4)],
        {"activation": "HardSigmoid", "activation_params": [0.3, 0.4]},
        label="hard sigmoid",
    ),
    Example(
        "FusedGemm",
        [normal(3, 5), normal(4, 5), normal(4)],
        {"transB": 1, "activation": "LeakyRelu", "activation_alpha": 0.2},
    ),
    Example("FusedMatMul", [normal(2, 5, 3), normal(2, 4, 5)], {"transA": 1, "transB": 1, "alpha": 0.5}),
    Example("FusedMatMul", [normal(2, 3, 5), normal(5, 4)], label="plain"),
    Example("TransposeMatMul", [normal(5, 3), normal(5, 4)], {"transA": 1}),
    Example("Gelu", [normal(3, 5)]),
    Example("FastGelu", [normal(3, 5), normal(5)], tolerance=1e-3),
    Example("QuickGelu", [normal(3, 5)], {"alpha": 1.5}),
    Example("BiasGelu", [normal(3, 5), normal(5)]),
    Example(
        "SkipLayerNormalization",
        [normal(2, 3, 8), normal(2, 3, 8), normal(8), normal(8), normal(8)],
        {"epsilon": 1e-5},
        outputs=("y", "", "", "sum"),
    ),
    Example("SkipSimplifiedLayerNormalization", [normal(2, 3, 8), normal(2, 3, 8), normal(8)]),
    Example("SimplifiedLayerNormalization", [normal(2, 3, 8), normal(8)], {"axis": -1}, domain=""),
    Example(
        "LayerNormalization", [normal(2, 3, 8), normal(8), normal(8)], {"axis": -1}, domain=""
    ),
    *(
        Example(
            "EmbedLayerNormalization",
            [words, segments, normal(11, 8), normal(6, 8), table, normal(8), normal(8), mask, places],
            {"epsilon": 1e-6}, outputs=outputs, label=label,
        )
        for label, segments, table, mask, places, outputs in (
            ("plain", None, None, None, None, ("y", "kept")),
            ("segments", words % 2, normal(2, 8), None, None, ("y", "kept", "sum")),
            ("mask", words % 2, normal(2, 8), np.int32([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]), None, ("y", "kept")),
            ("places", None, None, None, np.int32([[4, 3, 2, 1, 0]]), ("y", "kept")),
        )
    ),
    Example("Attention", [normal(2, 5, 8), normal(8, 24), normal(24)], {"num_heads": 2}),
    *(
        Example(
            "QAttention",
            [whole(2, 5, 8), weights, normal(24), scale(0.02), each, mask, zero(120), point],
            {"num_heads": 2, **attrs}, label=label,
        )
        for label, weights, each, point, mask, attrs in (
            ("plain", halved(8, 24), scale(0.01), None, None, {}),
            ("columns", halved(8, 24), np.linspace(0.005, 0.02, 24, dtype=np.float32), np.zeros(24, np.int8), None, {}),
            ("mask", halved(8, 24), scale(0.01), None, np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]), {}),
            ("ends, causal", halved(8, 24), scale(0.01), None, np.int32([3, 5]), {"unidirectional": 1}),
        )
    ),
    *(
        Example(
            "MatMulNBits",
            [normal(2, 5, length), whole(7, blocks, block * bits // 8), normal(7, blocks), zeros, None, bias],
            {"K": length, "N": 7, "block_size": block, "bits": bits}, label=label, tolerance=1e-4,
        )
        for label, bits, length, block, blocks, zeros, bias in (
            ("4 bits", 4, 64, 32, 2, None, None),
            ("a part of a block", 4, 40, 16, 3, None, None),
            ("packed zeros", 4, 48, 16, 3, whole(7, 2), None),
            ("float zeros", 4, 64, 32, 2, normal(7, 2), None),
            ("8 bits", 8, 64, 32, 2, None, None),
            ("8 bits, zeros", 8, 64, 32, 2, whole(7, 2), None),
            ("2 bits", 2, 64, 32, 2, None, None),
            ("bias", 4, 64, 32, 2, None, normal(7)),
        )
    ),
    *(
        Example(
            "Attention", [normal(2, 5, 8), normal(8, 24), normal(24), mask],
            {"num_heads": 2, **attrs}, label=label,
        )
        for label, mask, attrs in (
            ("keys", np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]), {}),
            ("keys, causal", np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]), {"unidirectional": 1}),
            ("a small filter value", np.int32([[1, 0, 1, 0, 1], [1, 1, 0, 1, 1]]), {"mask_filter_value": -2.0}),
            ("queries and keys", (np.arange(50).reshape(2, 5, 5) % 3 > 0).astype(np.int32), {}),
            ("ends", np.int32([3, 5]), {}),
            ("ends and beginnings", np.int32([3, 5, 1, 2]), {}),
        )
    ),
    Example(
        "Attention",
        [normal(2, 5, 8), normal(8, 24), normal(24), np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]), None,
         normal(2, 2, 5, 5)],
        {"num_heads": 2}, label="mask and bias",
    ),
    Example(
        "MultiHeadAttention",
        [normal(2, 5, 8), normal(2, 5, 8), normal(2, 5, 8), normal(24)],
        {"num_heads": 4},
    ),
    *(
        Example(
            "MultiHeadAttention",
            [normal(2, 3, 8), normal(2, 5, 8), normal(2, 5, 8), None, mask],
            {"num_heads": 4}, label=f"masked {mask.ndim}",
        )
        for mask in (np.int32([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]), np.int32([3, 5]))
    ),
    Example("QLinearAdd", [whole(1, 3, 4), *QUANTISED, whole(3, 4), scale(0.01), zero(3), *RESULT], output=U8),
    Example(
        "QLinearMul",
        [whole(3, 4, dtype=np.int8), scale(0.02), zero(4, np.int8), whole(1, 4, dtype=np.int8),
         scale(0.01), zero(-3, np.int8), scale(0.02), zero(-7, np.int8)],
        output=I8,
    ),
    Example("QLinearLeakyRelu", [whole(3, 40), *QUANTISED, *RESULT], {"alpha": 0.1}, U8),
    Example("QLinearSigmoid", [whole(3, 40), *QUANTISED, scale(1 / 256), zero(0)], output=U8),
    Example(
        "QLinearSoftmax", [whole(3, 40), *QUANTISED, scale(1 / 256), zero(0)], {"axis": -1, "opset": 13}, U8
    ),
    Example(
        "QLinearConcat", [*RESULT, whole(2, 3), *QUANTISED, whole(2, 4), scale(0.01), zero(3)],
        {"axis": 1}, U8, fed=3,
    ),
    Example(
        "QLinearAveragePool", [whole(1, 3, 8, 8), *QUANTISED, *RESULT],
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, U8,
    ),
    Example(
        "QLinearAveragePool", [whole(1, 8, 8, 3), *QUANTISED, *RESULT],
        {"kernel_shape": [2, 2], "channels_last": 1}, U8, label="channels last",
    ),
    Example("QLinearGlobalAveragePool", [whole(1, 3, 8, 8), *QUANTISED, *RESULT], output=U8),
    Example(
        "QLinearGlobalAveragePool", [whole(1, 8, 8, 3), *QUANTISED, *RESULT], {"channels_last": 1}, U8,
        label="channels last",
    ),
    Example("NhwcMaxPool", [whole(1, 8, 8, 3)], {"kernel_shape": [2, 2], "strides": [2, 2]}, U8),
    Example(
        "QLinearConv",
        [whole(1, 7, 7, 3), *QUANTISED, whole(4, 3, 3, 3), scale(0.01), zero(110), scale(0.3), zero(9)],
        {"channels_last": 1}, U8,
    ),
    Example(
        "QGemm",
        [whole(3, 5), *QUANTISED, whole(4, 5), scale(0.01), zero(99), np.arange(4, dtype=np.int32), *RESULT],
        {"transB": 1}, U8,
    ),
    Example(
        "QGemm", [whole(3, 5), *QUANTISED, whole(5, 4), scale(0.01), zero(99)], label="to float32"
    ),
    Example("DynamicQuantizeMatMul", [normal(3, 5), whole(5, 4), scale(0.01), zero(99), normal(4)]),
    Example(
        "MatMulIntegerToFloat",
        [whole(3, 5), whole(5, 4, dtype=np.int8), scale(0.02), scale(0.01), zero(120), None, normal(4)],
    ),
    *(
        Example(
            "DynamicQuantizeLSTM",
            [
                normal(4, 2, 6), halved(1, 6, 20), halved(1, 5, 20), normal(1, 40), None,
                normal(1, 2, 5), None, None, each * 8e-3, np.zeros_like(each, np.int8), each * 1e-2,
                np.zeros_like(each, np.int8),
            ],
            {"hidden_size": 5}, tolerance=0.03, label=label,  # onnxruntime rounds inputs and states as well
        )
        for label, each in (
            ("", np.ones(1, np.float32)),
            ("a scale a gate", np.linspace(0.5, 1, 20, dtype=np.float32).reshape(1, 20)),
        )
    ),
    Example("QuantizeLinear", [normal(3, 5), scale(0.02), np.array(300, np.uint16)], output=TensorProto.UINT16),
    Example("DequantizeLinear", [whole(3, 5), *QUANTISED]),
    Example("ExpandDims", [normal(3, 5), np.array(1, np.int32)]),
    Example("GridSample", [normal(1, 2, 5, 5), normal(1, 4, 4, 2) / 3], {"mode": "bilinear"}),
    Example("Trilu", [normal(3, 5)], {"upper": 0}),
]  # fmt: skip

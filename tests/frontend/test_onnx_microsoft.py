"""onnxruntime's own operators, as its optimiser and quantiser write them, against onnxruntime itself."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from clconv.errors import GraphError, ModelError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.frontend.onnx.converters.microsoft import IN_MAIN_DOMAIN, MICROSOFT
from clconv.graph.evaluate import evaluate_graph
from clconv.graph.specialise.specialise import specialise

F, U8, I8 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT8
rng = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(0, 1, shape).astype(np.float32)


def whole(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    low, high = (0, 255) if dtype == np.uint8 else (-127, 127)
    return rng.integers(low, high, shape).astype(dtype)


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
    Example("Attention", [normal(2, 5, 8), normal(8, 24), normal(24)], {"num_heads": 2}),
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
    Example("QuantizeLinear", [normal(3, 5), scale(0.02), np.array(300, np.uint16)], output=TensorProto.UINT16),
    Example("DequantizeLinear", [whole(3, 5), *QUANTISED]),
    Example("ExpandDims", [normal(3, 5), np.array(1, np.int32)]),
    Example("GridSample", [normal(1, 2, 5, 5), normal(1, 4, 4, 2) / 3], {"mode": "bilinear"}),
    Example("Trilu", [normal(3, 5)], {"upper": 0}),
]  # fmt: skip


def build(example: Example) -> bytes:
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(example.arrays)]
    node = helper.make_node(
        example.op, names, list(example.outputs), "node", domain=example.domain, **example.attrs
    )
    inputs, constants = [], []
    for i, array in enumerate(example.arrays):
        if array is None:
            continue
        tensor = numpy_helper.from_array(array, names[i])
        if i == example.fed - 1:
            inputs.append(helper.make_tensor_value_info(names[i], tensor.data_type, array.shape))
        else:
            constants.append(tensor)
    results = [helper.make_tensor_value_info(n, example.output, None) for n in example.outputs if n]
    graph = helper.make_graph([node], "g", inputs, results, constants)
    opsets = [helper.make_opsetid("", example.opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{e.op}-{e.label}".rstrip("-").replace(" ", "_") for e in EXAMPLES]
)
def test_agrees_with_onnxruntime(example: Example) -> None:
    data = build(example)
    name = f"x{example.fed - 1}"
    fed = example.arrays[example.fed - 1]
    assert fed is not None
    wanted = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(
        None, {name: fed}
    )
    graph = import_onnx(data)
    known = specialise(graph, {name: graph.specs[name]}).graph
    found = evaluate_graph(known, {name: fed})
    for output, expected in zip(graph.outputs, wanted, strict=True):
        value = found[output]
        assert value.dtype == expected.dtype and value.shape == expected.shape
        if expected.dtype.kind == "f":
            assert np.abs(value - expected).max() <= example.tolerance * np.abs(expected).max()
        else:  # onnxruntime's tables and float32 sums may round a tie the other way
            assert np.abs(value.astype(int) - expected.astype(int)).max() <= 1
            assert (value == expected).mean() > 0.9


def test_what_clconv_cannot_say_is_refused_by_name() -> None:
    example = Example(
        "FusedConv", [normal(1, 3, 7, 7), normal(4, 3, 3, 3)], {"activation": "Magic"}
    )
    with pytest.raises(UnsupportedError, match=r"com\.microsoft\.FusedConv.*'Magic'"):
        import_onnx(build(example))
    with pytest.raises(UnsupportedError, match=r"com\.microsoft\.EmbedLayerNormalization"):
        import_onnx(build(Example("EmbedLayerNormalization", [normal(3, 5)])))


MISSPELT = [
    (
        "FusedConv",
        [normal(1, 3, 7, 7), normal(4, 3, 3, 3)],
        {"activtaion": "Relu"},
        "unknown attribute 'activtaion'",
    ),
    ("FusedGemm", [normal(2, 3), normal(3, 4)], {"tansB": 1}, "unknown attribute 'tansB'"),
    (
        "FusedMatMul",
        [normal(2, 3), normal(3, 4)],
        {"alpha": "one"},
        "'alpha' is STRING, must be FLOAT",
    ),
    ("QuickGelu", [normal(2, 3)], {"aplha": 1.0}, "unknown attribute 'aplha'"),
    ("GroupNorm", [normal(1, 2, 2, 4), normal(4), normal(4)], {}, "'groups'.* are required"),
    (
        "GroupNorm",
        [normal(1, 2, 2, 4), normal(4)],
        {"groups": 2, "activation": 0},
        "input 2 is missing",
    ),
    ("Attention", [normal(2, 5, 8), normal(8, 24)], {}, r"\['num_heads'\] are required"),
    (
        "NhwcMaxPool",
        [whole(1, 4, 4, 3)],
        {"kernel_shape": 2},
        "'kernel_shape' is INT, must be INTS",
    ),
    ("QLinearConcat", [scale(1.0)], {"axis": 1}, "is missing"),
    ("QLinearAdd", [whole(2, 3)], {}, "is missing"),
    ("ExpandDims", [normal(2, 3)], {}, "is missing"),
]


@pytest.mark.parametrize(("op", "arrays", "attrs", "wanted"), MISSPELT)
def test_what_no_operator_takes_is_named(
    op: str, arrays: Sequence[np.ndarray], attrs: dict[str, Any], wanted: str
) -> None:
    with pytest.raises(GraphError, match=wanted) as caught:
        import_onnx(build(Example(op, arrays, attrs)))
    assert op in str(caught.value)


@pytest.mark.parametrize("op", sorted(MICROSOFT))
def test_every_operator_survives_any_use_of_it(op: str) -> None:
    """Inputs of every rank, any number of them, none known: an import or an error of clconv."""
    for count in range(10):
        for rank in range(5):
            arrays = [np.ones((2,) * rank, np.float32)] * count
            for attrs in ({}, {"num_heads": 2}, {"groups": 2}, {"axis": 9}, {"kernel_shape": [2]}):
                domain = "com.microsoft" if op not in IN_MAIN_DOMAIN else ""
                example = Example(op, arrays or [normal(2)], attrs, domain=domain)
                with contextlib.suppress(ModelError):
                    import_onnx(build(example))

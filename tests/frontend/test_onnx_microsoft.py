"""onnxruntime's own operators, as its optimiser and quantiser write them, against onnxruntime itself."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from clconv.errors import GraphError, ModelError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.frontend.onnx.converters.microsoft import IN_MAIN_DOMAIN, MICROSOFT
from clconv.frontend.onnx.converters.microsoft.schemas import SCHEMAS
from clconv.graph.evaluate import evaluate_graph
from clconv.graph.specialise.specialise import specialise
from tests.frontend.microsoft_examples import EXAMPLES, Example, normal, scale, whole


def constant(array: np.ndarray, name: str) -> TensorProto:
    """onnxruntime 1.23, the last for Python 3.10, dies of ExpandDims with an axis in raw bytes."""
    if array.dtype != np.int32:
        return numpy_helper.from_array(array, name)
    return helper.make_tensor(name, TensorProto.INT32, array.shape, array.ravel().tolist())


def build(example: Example) -> bytes:
    names = [f"x{i}" if a is not None else "" for i, a in enumerate(example.arrays)]
    node = helper.make_node(
        example.op, names, list(example.outputs), "node", domain=example.domain, **example.attrs
    )
    inputs, constants = [], []
    for i, array in enumerate(example.arrays):
        if array is None:
            continue
        tensor = constant(array, names[i])
        if i == example.fed - 1:
            inputs.append(helper.make_tensor_value_info(names[i], tensor.data_type, array.shape))
        else:
            constants.append(tensor)
    kinds = {"kept": TensorProto.INT32}
    results = [
        helper.make_tensor_value_info(n, kinds.get(n, example.output), None)
        for n in example.outputs
        if n
    ]
    graph = helper.make_graph([node], "g", inputs, results, constants)
    opsets = [helper.make_opsetid("", example.opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def reference(data: bytes) -> onnxruntime.InferenceSession:
    """As the node is: onnxruntime 1.23 moves FusedConv to another layout, where it refuses a sum of four channels."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{e.op}-{e.label}".rstrip("-").replace(" ", "_") for e in EXAMPLES]
)
def test_agrees_with_onnxruntime(example: Example) -> None:
    data = build(example)
    name = f"x{example.fed - 1}"
    fed = example.arrays[example.fed - 1]
    assert fed is not None
    wanted = reference(data).run(None, {name: fed})
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
    with pytest.raises(UnsupportedError, match=r"com\.microsoft\.CropAndResize"):
        import_onnx(build(Example("CropAndResize", [normal(3, 5)])))


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
    ("EmbedLayerNormalization", [np.int32([[1]]), None, normal(3, 4)], {}, "input 3 is missing"),
    (
        "MatMulNBits",
        [normal(2, 32), whole(3, 1, 15), normal(3, 1)],
        {"K": 32, "N": 3, "block_size": 32},
        "B has 45 elements, not 48",
    ),
    (
        "MatMulNBits",
        [normal(2, 32), whole(3, 1, 16), normal(3, 1)],
        {"K": 32, "N": 3, "block_size": 32, "bits": 3},
        "bits 3",
    ),
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


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, 0.5])
def test_no_number_of_an_attribute_is_a_surprise(value: float) -> None:
    """Every attribute that is a float, NaN or far beyond integers, beside operands that are integers."""
    with pytest.raises(GraphError, match=r"alpha is .*, which int32 does not have"):
        import_onnx(
            build(Example("FusedMatMul", [np.ones((2, 2), np.int32)] * 2, {"alpha": value}))
        )
    for op, schema in SCHEMAS.items():
        attrs: dict[str, Any] = {"num_heads": 2, "groups": 2, "axis": 1, "kernel_shape": [2]}
        attrs = {name: given for name, given in attrs.items() if name in schema.kinds}
        floats = {n: value for n, kind in schema.kinds.items() if kind == AttributeProto.FLOAT}
        for count in range(1, 9) if floats else ():
            for dtype in (np.float32, np.int32):
                example = Example(op, [np.ones((2, 2), dtype)] * count, {**attrs, **floats})
                with contextlib.suppress(ModelError):
                    import_onnx(build(example))

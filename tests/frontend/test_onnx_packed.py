"""Weights of 4 bits and of bfloat16, wherever a file keeps them, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from clconv.errors import ModelError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise

node = helper.make_node


def model(nodes, tensors, kind=TensorProto.FLOAT) -> onnx.ModelProto:  # type: ignore[no-untyped-def]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 7])
    y = helper.make_tensor_value_info("y", kind, None)
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def quantised(dtype: object, typed: bool) -> onnx.ModelProto:
    """x @ weights of 4 bits, in blocks of 4 with a scale and a zero point each."""
    rng = np.random.default_rng(3)
    low = -8 if np.dtype(dtype).name == "int4" else 0
    values = [rng.integers(low, low + 16, shape) for shape in ((7, 5), (2, 5))]
    kind = TensorProto.INT4 if low else TensorProto.UINT4
    tensors = [
        helper.make_tensor(name, kind, a.shape, a.reshape(-1).tolist())
        if typed
        else numpy_helper.from_array(a.astype(dtype), name)
        for name, a in zip(("w", "zero"), values, strict=True)
    ]
    scale = numpy_helper.from_array(rng.uniform(0.1, 1, (2, 5)).astype(np.float32), "scale")
    nodes = [
        node("DequantizeLinear", ["w", "scale", "zero"], ["real"], axis=0, block_size=4),
        node("MatMul", ["x", "real"], ["y"]),
    ]
    return model(nodes, [*tensors, scale])


def agree(source: bytes | Path) -> None:
    x = np.random.default_rng(1).normal(0, 1, (2, 7)).astype(np.float32)
    given = source if isinstance(source, bytes) else str(source)
    peer = onnxruntime.InferenceSession(given, providers=["CPUExecutionProvider"])
    graph = import_onnx(source)
    found = run_reference(specialise(graph, dict(graph.specs)).graph, {"x": x})
    np.testing.assert_allclose(found["y"], peer.run(None, {"x": x})[0], 1e-5, 1e-5)


@pytest.mark.parametrize("dtype", (ml_dtypes.int4, ml_dtypes.uint4))
@pytest.mark.parametrize("typed", (False, True))
def test_four_bits(dtype: object, typed: bool, tmp_path: Path) -> None:
    proto = quantised(dtype, typed)
    agree(proto.SerializeToString())
    path = tmp_path / "external.onnx"
    onnx.save(proto, path, save_as_external_data=True, size_threshold=0)
    agree(path)


def test_bfloat16() -> None:
    weights = np.random.default_rng(0).normal(0, 1, (7, 5)).astype(ml_dtypes.bfloat16)
    nodes = [
        node("Cast", ["w"], ["real"], to=TensorProto.FLOAT),
        node("MatMul", ["x", "real"], ["y"]),
    ]
    agree(model(nodes, [numpy_helper.from_array(weights, "w")]).SerializeToString())


def test_an_operator_that_would_keep_the_type_refuses_it() -> None:
    zero = helper.make_tensor("zero", TensorProto.INT4, (), [1])
    scale = numpy_helper.from_array(np.float32(0.1), "scale")
    proto = model(
        [node("QuantizeLinear", ["x", "scale", "zero"], ["y"])], [zero, scale], TensorProto.INT4
    )
    with pytest.raises(UnsupportedError, match="INT4"):
        import_onnx(proto.SerializeToString())


def test_too_few_bytes() -> None:
    proto = quantised(ml_dtypes.int4, False)
    proto.graph.initializer[0].raw_data = b"123"
    with pytest.raises(ModelError, match="'w' of shape"):
        import_onnx(proto.SerializeToString())

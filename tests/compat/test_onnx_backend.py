"""onnx.backend.base over clconv."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.backend.base import Backend, BackendRep

from clconv.compat import onnx_backend
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError, InputError, UnsupportedError

X = np.array([[-1, 2, -3]], np.float32)


def model(op: str = "Add") -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3]) for n in ("a", "b", "1")]
    graph = helper.make_graph(
        [helper.make_node(op, ["a", "b"], ["1"])], "g", values[:2], values[2:]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_prepared_models_run_many_times(device: DeviceInfo) -> None:
    prepared = onnx_backend.prepare(model(), str(device.index))
    assert isinstance(prepared, BackendRep)
    for inputs in ([X, X], (X, X), {"b": X, "a": X}):
        outputs = prepared.run(inputs)
        np.testing.assert_array_equal(outputs[0], 2 * X)
        np.testing.assert_array_equal(outputs["1"], 2 * X)  # by a name that no attribute can have
    with pytest.raises(InputError, match="1 inputs given; the model takes 2"):
        prepared.run([X])
    with pytest.raises(InputError, match="no options"):
        prepared.run([X, X], fast=True)


def test_run_model_is_both_in_one(device: DeviceInfo) -> None:
    (output,) = onnx_backend.run_model(model(), [X, X], str(device.index))
    np.testing.assert_array_equal(output, 2 * X)


def test_run_node_needs_no_model(device: DeviceInfo) -> None:
    node = helper.make_node("Clip", ["x", "", "high"], ["y"])
    high = np.array(1, np.float32)
    for inputs in ([X, high], {"x": X, "high": high}):
        (output,) = onnx_backend.run_node(node, inputs, str(device.index))
        np.testing.assert_array_equal(output, np.minimum(X, 1))
    info = [(np.dtype(np.float32), X.shape)]
    (output,) = onnx_backend.run_node(
        helper.make_node("Relu", ["x"], ["y"]), [X], str(device.index), info, opset_version=13
    )
    np.testing.assert_array_equal(output, np.maximum(X, 0))
    with pytest.raises(InputError, match="takes"):
        onnx_backend.run_node(node, [X], str(device.index))


def test_devices_go_by_onnx_names() -> None:
    assert onnx_backend.supports_device("CPU")
    assert not onnx_backend.supports_device("no such device")
    with pytest.raises(DeviceError):
        onnx_backend.prepare(model(), "no such device")


def test_what_is_missing_is_named() -> None:
    odd = model("Add")
    odd.graph.node[0].op_type = "StringConcat"
    assert not onnx_backend.is_compatible(odd)
    assert onnx_backend.is_compatible(model())
    with pytest.raises(UnsupportedError, match="StringConcat"):
        onnx_backend.prepare(odd)
    with pytest.raises(UnsupportedError, match="complex64"):
        onnx_backend.run_node(helper.make_node("Neg", ["x"], ["y"]), [X.astype(np.complex64)])


def test_it_is_a_backend() -> None:
    assert issubclass(onnx_backend.ClconvBackend, Backend)

"""Real networks in float16: their own, close to onnxruntime's, and float32 ones that are stored so.

The bound is 1e-2 of the largest output: fifty layers, each of which rounds by 2^-11.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.graph.passes.half import float32_nodes


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every float32 tensor, input and output in float16."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT:
                array = numpy_helper.to_array(attribute.t).astype(np.float16)
                attribute.t.CopyFrom(numpy_helper.from_array(array))
            elif (
                node.op_type == "Cast"
                and attribute.name == "to"
                and attribute.i == TensorProto.FLOAT
            ):
                attribute.i = TensorProto.FLOAT16
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


@pytest.mark.parametrize(
    "name", ["digit_cnn", pytest.param("mobilenetv2_imagenet", marks=pytest.mark.slow)]
)
def test_float16_networks_run(shared_models: Path, device: DeviceInfo, name: str) -> None:
    data = halved(onnx.load(shared_models / f"{name}.onnx")).SerializeToString()
    session = load(data, device)
    ((given, spec),) = session.inputs.items()
    shape = [d if isinstance(d, int) else 1 for d in spec.shape]
    image = np.random.default_rng(1).random(shape).astype(np.float16)
    (found,) = session.run({given: image}).values()
    known = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (expected,) = known.run(None, {given: image})
    assert found.dtype == expected.dtype == np.float16
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(
        found.astype(np.float32), expected.astype(np.float32), rtol=0, atol=4e-3 * scale
    )


@pytest.mark.parametrize(
    "name", ["digit_cnn", pytest.param("mobilenetv2_imagenet", marks=pytest.mark.slow)]
)
def test_float32_networks_are_stored_in_float16(
    shared_models: Path, device: DeviceInfo, name: str
) -> None:
    path = shared_models / f"{name}.onnx"
    wide, narrow = load(path, device), load(path, device, precision="float16")
    ((given, spec),) = wide.inputs.items()
    shape = [d if isinstance(d, int) else 1 for d in spec.shape]
    image = np.random.default_rng(2).random(shape, np.float32)
    (expected,) = wide.run({given: image}).values()
    (found,) = narrow.run({given: image}).values()
    assert found.dtype == expected.dtype == np.float32
    assert not np.array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-2 * float(np.abs(expected).max()))
    np.testing.assert_array_equal(found.argmax(-1), expected.argmax(-1))
    plans = [session.prepare({given: shape}).plan for session in (wide, narrow)]
    assert plans[1].memory.total < plans[0].memory.total
    casts = [node for node in plans[1].graph.nodes if node.op == "Cast"]
    assert len(casts) == 2, "one at the input, one at the output"
    assert not float32_nodes(plans[1].graph)


@pytest.mark.slow
def test_a_checked_run_allows_for_what_half_rounds(
    shared_models: Path, device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_CHECK", "1")
    session = load(shared_models / "digit_cnn.onnx", device, precision="float16")
    ((given, spec),) = session.inputs.items()
    shape = [d if isinstance(d, int) else 1 for d in spec.shape]
    session.run({given: np.random.default_rng(3).random(shape, np.float32)})

"""A real network with everything in float16: close to the float32 one, and to onnxruntime's float16."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from clconv.api import load
from clconv.lowering.device import DeviceInfo


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


@pytest.mark.parametrize("name", ["digit_cnn", "mobilenetv2_imagenet"])
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

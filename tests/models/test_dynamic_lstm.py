"""An LSTM whose weights onnxruntime's quantize_dynamic made int8: read as bytes at each step, on CPUs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from onnxruntime import quantization

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.frontend.onnx import import_onnx
from clconv.graph.evaluate import evaluate_graph
from clconv.graph.specialise.specialise import specialise
from clconv.runtime.check import relative_error
from tests.models.support import peer

TIME, BATCH, FEATURES, HIDDEN = 4, 2, 6, 21


def written(path: Path, direction: str) -> Path:
    rng, count = np.random.default_rng(0), 2 if direction == "bidirectional" else 1
    shapes = {
        "w": (count, 4 * HIDDEN, FEATURES),
        "r": (count, 4 * HIDDEN, HIDDEN),
        "b": (count, 8 * HIDDEN),
    }
    weights = [
        numpy_helper.from_array(rng.uniform(-0.5, 0.5, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    node = helper.make_node(
        "LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=HIDDEN, direction=direction
    )
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [TIME, BATCH, FEATURES])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "lstm", [x], [y], weights)
    floats, made = path / "floats.onnx", path / "dynamic.onnx"
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), floats
    )
    quantization.quantize_dynamic(floats, made, reduce_range=True)
    return made


@pytest.mark.parametrize(
    "direction", [pytest.param("forward", marks=pytest.mark.slow), "bidirectional"]
)
def test_weights_of_each_step_are_bytes(device: DeviceInfo, tmp_path: Path, direction: str) -> None:
    model = written(tmp_path, direction)
    feeds = {
        "x": np.random.default_rng(1).standard_normal((TIME, BATCH, FEATURES)).astype(np.float32)
    }
    session = load(model, device=device)
    (found,) = session.run(feeds).values()
    graph = import_onnx(model)
    known = specialise(graph, {"x": graph.specs["x"]}).graph
    # Where weights are multiplied as bytes, states have 16 bits.
    assert relative_error(found, evaluate_graph(known, feeds)["y"]) <= 5e-5
    (expected,) = peer(model).run(None, feeds)
    assert relative_error(found, np.asarray(expected)) <= 0.05
    if device.is_cpu and device.vector_width > 1:
        calls = session.prepare({"x": feeds["x"].shape}).plan.calls
        assert any("recurrent.r.bytes" in str(call) for call in calls)

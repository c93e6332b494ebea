"""What counts as a difference from onnxruntime: not its own rounding, but everything that float64 does not bear out."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

import clconv
from tests.fuzz.compare import difference
from tests.fuzz.small_model import node, random_array, small_model
from tests.peers import newer_onnxruntime

SHAPE = (1, 6, 8, 8)


def _normalised(op: str) -> tuple[bytes, dict[str, np.ndarray]]:
    constants = {"s": random_array(6) + 2, "b": random_array(6)}
    nodes = {
        "LayerNormalization": node("LayerNormalization", ["x", "s8"], ["y"]),
        "InstanceNormalization": node("InstanceNormalization", ["x", "s", "b"], ["y"]),
        "GroupNormalization": node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=2),
        "MeanVarianceNormalization": node("MeanVarianceNormalization", ["x"], ["y"], axes=[2, 3]),
    }
    constants["s8"] = random_array(8) + 2
    model = small_model([nodes[op]], {"x": SHAPE}, constants, opset=21)
    x = 80000 + 0.05 * np.random.default_rng(3).standard_normal(SHAPE)
    return model.SerializeToString(), {"x": x.astype(np.float32)}


@pytest.mark.parametrize(
    "op",
    [
        pytest.param("LayerNormalization", marks=newer_onnxruntime("makes NaN of it")),
        "InstanceNormalization", "GroupNormalization", "MeanVarianceNormalization",
    ],
)  # fmt: skip
def test_large_means_are_judged_in_float64(op: str) -> None:
    data, feeds = _normalised(op)
    right = clconv.load(data).run(feeds)
    assert not difference(data, feeds, right)
    wrong = {"y": right["y"] + np.float32(0.05)}
    assert "in float64 it is" in difference(data, feeds, wrong)
    assert "float32" in difference(data, feeds, {"y": right["y"].astype(np.float64)})
    assert "shape" in difference(data, feeds, {"y": right["y"][0]})


def test_other_operators_are_held_against_onnxruntime() -> None:
    model = small_model([node("Relu", ["x"], ["y"])], {"x": (3,)}, {})
    data, feeds = model.SerializeToString(), {"x": np.array([-1, 0, 2], np.float32)}
    assert not difference(data, feeds, {"y": np.array([0, 0, 2], np.float32)})
    assert "onnxruntime has 2.0" in difference(data, feeds, {"y": np.zeros(3, np.float32)})


def test_logarithms_of_integers_are_not_compared() -> None:
    model = small_model([node("ReduceLogSumExp", ["x"], ["y"])], {"x": (3,)}, {})
    for value in (*model.graph.input, *model.graph.output):
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.INT32, None))
    feeds = {"x": np.array([1, 2, 3], np.int32)}
    assert not difference(model.SerializeToString(), feeds, {"y": np.array([9], np.int32)})

"""Gelu's results have a small error relative to themselves, also where they are small: left of 0 they fall to 1e-22."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx import NodeProto

from clconv.api import load
from clconv.device.info import DeviceInfo
from tests.fuzz.small_model import node, small_model

# What float32 carries of x * x / 2, and of the cubic in the form with tanh, where exp makes it relative.
BOUND = {"none": 1e-6, "tanh": 3e-5}


def exact(x: np.ndarray, approximate: str) -> np.ndarray:
    wide = x.astype(np.float64)
    if approximate == "tanh":
        return wide / (1 + np.exp(-2 * math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)))
    return np.array([0.5 * v * math.erfc(-v / math.sqrt(2)) for v in wide.ravel()]).reshape(x.shape)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("form", ["alone", "epilogue", "written"])
def test_gelu_is_right_to_relative_precision(
    device: DeviceInfo, approximate: str, form: str
) -> None:
    """alone: a size that leaves scalars behind the vectors. epilogue: behind a convolution by 1. written: as exporters
    write it with Erf or Tanh, which becomes Gelu."""
    x = np.linspace(-10, 10, 3 * 41 * 43).astype(np.float32).reshape(1, 3, 41, 43)
    gelu = [node("Gelu", ["c"], ["y"], approximate=approximate)]
    if form == "written":
        gelu = _written(approximate)
    first = (
        node("Conv", ["x", "one"], ["c"]) if form == "epilogue" else node("Identity", ["x"], ["c"])
    )
    constants = {
        "one": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), "root": np.float32(math.sqrt(2)),
        "unit": np.float32(1), "half": np.float32(0.5), "three": np.float32(3), "cubic": np.float32(0.044715),
        "slope": np.float32(math.sqrt(2 / math.pi)),
    }  # fmt: skip
    model = small_model([first, *gelu], {"x": x.shape}, constants, opset=20)
    found = load(model.SerializeToString(), device).run({"x": x})["y"]
    right = exact(x, approximate)
    error = np.abs(found - right) / np.maximum(np.abs(right), 1e-37)
    assert error.max() <= BOUND[approximate], f"at {x.ravel()[error.argmax()]}"


def _written(approximate: str) -> list[NodeProto]:
    if approximate == "none":
        inside = [node("Div", ["c", "root"], ["d"]), node("Erf", ["d"], ["e"])]
    else:
        inside = [
            node("Pow", ["c", "three"], ["p"]), node("Mul", ["p", "cubic"], ["q"]), node("Add", ["c", "q"], ["r"]),
            node("Mul", ["r", "slope"], ["s"]), node("Tanh", ["s"], ["e"]),
        ]  # fmt: skip
    return [
        *inside, node("Add", ["e", "unit"], ["f"]), node("Mul", ["c", "f"], ["g"]), node("Mul", ["g", "half"], ["y"]),
    ]  # fmt: skip

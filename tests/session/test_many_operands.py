"""Operators that take any number of inputs, with a thousand of them: what loading takes grows with the number, not faster."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from clconv.api import load
from clconv.device.info import DeviceInfo
from tests.fuzz.small_model import node, small_model

COUNT = 1000
SECONDS = 20.0  # of processor time; a tenth of it is enough where nothing else runs
RIGHT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Sum": lambda a: a.sum(0),
    "Mean": lambda a: a.mean(0),
    "Max": lambda a: a.max(0),
    "Min": lambda a: a.min(0),
    "Concat": lambda a: np.concatenate(a, 1),
}


@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize("op", list(RIGHT))
def test_a_thousand_operands(device: DeviceInfo, op: str, distinct: bool) -> None:
    """All different, or one value again and again among a few."""
    kinds = COUNT if distinct else 3
    names = [f"x{i % kinds}" for i in range(COUNT)]
    nodes = [node(op, names, ["y"], **({"axis": 1} if op == "Concat" else {}))]
    model = small_model(nodes, {f"x{i}": (2, 3) for i in range(kinds)}, {}, opset=17)
    rng = np.random.default_rng(7)
    arrays = {f"x{i}": rng.uniform(-1, 1, (2, 3)).astype(np.float32) for i in range(kinds)}
    data = model.SerializeToString()
    began = time.process_time()
    found = load(data, device).run(arrays)["y"]
    took = time.process_time() - began
    right = RIGHT[op](np.stack([arrays[name].astype(np.float64) for name in names]))
    np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-4 if op == "Sum" else 1e-6)
    assert took < SECONDS, f"{took:.0f} s"


@pytest.mark.parametrize("op", ["Sum", "Max"])
def test_a_thousand_operands_of_other_sizes(device: DeviceInfo, op: str) -> None:
    """Broadcast: rows and columns in turn."""
    shapes = [(2, 1), (1, 3), (2, 3), (3,), ()]
    inputs = {f"x{i}": shapes[i % len(shapes)] for i in range(COUNT)}
    rng = np.random.default_rng(8)
    arrays = {n: rng.uniform(-1, 1, shape).astype(np.float32) for n, shape in inputs.items()}
    model = small_model([node(op, list(inputs), ["y"])], inputs, {}, opset=17)
    began = time.process_time()
    found = load(model.SerializeToString(), device).run(arrays)["y"]
    took = time.process_time() - began
    wide = np.stack([np.broadcast_to(a.astype(np.float64), (2, 3)) for a in arrays.values()])
    np.testing.assert_allclose(found, RIGHT[op](wide), rtol=1e-5, atol=1e-4)
    assert took < SECONDS, f"{took:.0f} s"

"""Operators that take any number of inputs, with a thousand of them: what loading takes grows with the number, not faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clconv.api import load
from clconv.device.info import DeviceInfo
from tests.fuzz.small_model import node, small_model
from tests.patience import growth

COUNT = 1000
FEW = 125
LIMIT = 30  # eight times the inputs: what is quadratic would take 64 times as long
RIGHT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Sum": lambda a: a.sum(0),
    "Mean": lambda a: a.mean(0),
    "Max": lambda a: a.max(0),
    "Min": lambda a: a.min(0),
    "Concat": lambda a: np.concatenate(a, 1),
}


@pytest.mark.parametrize(
    ("op", "distinct"),
    [
        ("Sum", True),
        ("Concat", False),
        *(
            pytest.param(op, distinct, marks=pytest.mark.slow)
            for op in RIGHT
            for distinct in (True, False)
            if (op, distinct) not in (("Sum", True), ("Concat", False))
        ),
    ],
)
def test_a_thousand_operands(device: DeviceInfo, op: str, distinct: bool) -> None:
    """All different, or one value again and again among a few."""
    more = {"axis": 1} if op == "Concat" else {}

    def runs(count: int) -> None:
        kinds = count if distinct else 3
        names = [f"x{i % kinds}" for i in range(count)]
        assert_right(device, op, names, dict.fromkeys(names, (2, 3)), more)

    growth(lambda: runs(FEW), lambda: runs(COUNT), LIMIT)


@pytest.mark.parametrize("op", [pytest.param("Sum", marks=pytest.mark.slow), "Max"])
def test_a_thousand_operands_of_other_sizes(device: DeviceInfo, op: str) -> None:
    """Broadcast: rows and columns in turn."""
    shapes = [(2, 1), (1, 3), (2, 3), (3,), ()]

    def runs(count: int) -> None:
        names = [f"x{i}" for i in range(count)]
        sizes = {name: shapes[i % len(shapes)] for i, name in enumerate(names)}
        assert_right(device, op, names, sizes, {})

    growth(lambda: runs(FEW), lambda: runs(COUNT), LIMIT)


def assert_right(
    device: DeviceInfo, op: str, names: list[str], sizes: dict[str, Any], more: dict[str, int]
) -> None:
    """Loads and runs one node of these inputs."""
    model = small_model([node(op, names, ["y"], **more)], sizes, {}, opset=17)
    rng = np.random.default_rng(7)
    arrays = {name: rng.uniform(-1, 1, size).astype(np.float32) for name, size in sizes.items()}
    found = load(model.SerializeToString(), device).run(arrays)["y"]
    wide = {name: np.broadcast_to(a.astype(np.float64), (2, 3)) for name, a in arrays.items()}
    right = RIGHT[op](np.stack([wide[name] for name in names]))
    np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-4 if op == "Sum" else 1e-6)

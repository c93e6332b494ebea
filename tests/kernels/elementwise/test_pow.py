"""Pow is right to some units in the last place, of whatever size its result is, and its special cases are those of C."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.session.session import Session

COUNT = 3 * 41 * 43  # leaves scalars behind the vectors
UNITS = 16  # OpenCL's own function may be off by so many
SPECIAL = (
    0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 0.3333, 1e-37, -1e-37, 3e38, -3e38,
    4194304.5, -4194304.5, 8388607.0, -8388607.0, 8388609.0, -8388609.0, 16777215.0, 16777216.0, 1e10, -1e10, 2.0**34,
    1 + 2.0**-23, 1 - 2.0**-24,
)  # fmt: skip


def raised(device: DeviceInfo, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    specs = {"x": TensorSpec(x.shape), "y": TensorSpec(y.shape)}
    graph = Graph("pow", (make_node("Pow", ("x", "y"), ("z",), "pow"),), ("x", "y"), ("z",), specs)
    return Session(graph, device).run({"x": x, "y": y})["z"]


def exact(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.power(x.astype(np.float64), y.astype(np.float64))


# Bases, as powers of e or as they are, and exponents; all results have float32's full precision.
RANGES = {
    "usual": ((-2.3, 1.1), (0.1, 3.0)),
    "roots": ((-80.0, 80.0), (-1.0, 1.0)),
    "near one": ((-1e-4, 1e-4), (-8e5, 8e5)),
    "small bases": ((-87.0, -80.0), (-1.0, 1.0)),
    "large exponents": ((-0.5, 0.5), (-170.0, 170.0)),
}


@pytest.mark.parametrize("name", RANGES)
def test_to_units_in_the_last_place(device: DeviceInfo, name: str) -> None:
    rng = np.random.default_rng(0)
    logarithms, exponents = (rng.uniform(*limits, COUNT) for limits in RANGES[name])
    x, y = np.exp(logarithms).astype(np.float32), exponents.astype(np.float32)
    right = exact(x, y)
    unit = np.spacing(right.astype(np.float32)).astype(np.float64)
    error = np.abs(raised(device, x, y) - right) / unit
    assert error.max() <= UNITS, f"{x[error.argmax()]} ** {y[error.argmax()]}"


def test_negative_bases(device: DeviceInfo) -> None:
    """The sign is that of an odd exponent; there is no root."""
    rng = np.random.default_rng(1)
    x = -rng.uniform(0.1, 3.0, COUNT).astype(np.float32)
    y = np.rint(rng.uniform(-30, 30, COUNT)).astype(np.float32)
    right = exact(x, y)
    found = raised(device, x, y)
    assert np.array_equal(np.signbit(found), y % 2 != 0)
    np.testing.assert_allclose(found, right, rtol=UNITS * 2.0**-23)
    assert np.isnan(raised(device, x, y + np.float32(0.5))).all()


def test_special_cases(device: DeviceInfo) -> None:
    x, y = (np.ravel(a) for a in np.meshgrid(*[np.array(SPECIAL, np.float32)] * 2))
    right = exact(x, y)
    with np.errstate(all="ignore"):
        narrow = right.astype(np.float32)
    found = raised(device, x, y)
    is_usual = np.isfinite(narrow) & (np.abs(narrow) > 2.0**-126)
    is_denormal = np.isfinite(narrow) & (narrow != 0) & ~is_usual  # a device may have none
    np.testing.assert_allclose(found[is_usual], right[is_usual], rtol=UNITS * 2.0**-23)
    for other in (found, narrow):
        other[is_usual | is_denormal] = 0
    np.testing.assert_array_equal(found, narrow)
    are_numbers = ~np.isnan(narrow) & ~is_denormal & ~is_usual
    assert np.array_equal(np.signbit(found[are_numbers]), np.signbit(narrow[are_numbers]))

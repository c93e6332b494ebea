"""Sin and Cos are right to two units in the last place, also near their zeros, and the built-in functions' far from 0."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from tests.kernels.elementwise.test_arcs import found

FUNCTIONS = {"Sin": np.sin, "Cos": np.cos}
FAR = 10000  # from where on the built-in functions are called
UNITS = 2
FAR_UNITS = 4  # OpenCL's limit for the built-in ones
OUTSIDE = (np.inf, -np.inf, np.nan, 1e4, -1e5, 3e38, -1e38, 0.0, -0.0, 1e-45, 2.0)


def units(y: np.ndarray, right: np.ndarray) -> np.ndarray:
    unit = np.spacing(np.maximum(np.abs(right), 2.0**-126).astype(np.float32)).astype(np.float64)
    return np.abs(y - right) / unit


@pytest.mark.parametrize("op", FUNCTIONS)
def test_to_two_units_in_the_last_place(device: DeviceInfo, op: str) -> None:
    rng = np.random.default_rng(0)
    quarters = np.arange(6366) * (np.pi / 2)
    near = quarters.astype(np.float32)  # each of them, and the floats beside it
    small = np.exp(rng.uniform(-80, 0, 1000))
    parts = [
        rng.uniform(0, FAR, 100000), rng.uniform(0, 30, 50000), small, quarters + np.pi / 4,
        near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(FAR)),
    ]  # fmt: skip
    x = np.concatenate(parts).astype(np.float32)
    x = x[: x.size // 32 * 32]  # nothing is left behind the vectors, which scalars would compute
    assert x.max() < FAR
    for some in (x, -x):
        error = units(found(op, some, device), FUNCTIONS[op](some.astype(np.float64)))
        assert error.max() <= UNITS, f"at {some[error.argmax()]}"


@pytest.mark.parametrize("op", FUNCTIONS)
def test_far_from_0_and_at_it(device: DeviceInfo, op: str) -> None:
    x = np.resize(np.array(OUTSIDE, np.float32), 41)  # scalars behind the vectors, too
    with np.errstate(all="ignore"):
        right = FUNCTIONS[op](x.astype(np.float64))
    y = found(op, x, device)
    are_numbers = ~np.isnan(right)
    assert np.array_equal(np.isnan(y), ~are_numbers)
    assert units(y[are_numbers], right[are_numbers]).max() <= FAR_UNITS
    assert np.array_equal(np.signbit(y[are_numbers]), np.signbit(right[are_numbers]))

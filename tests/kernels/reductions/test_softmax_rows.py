"""Softmax of rows: several side by side and those that are left, cut vectors, NaN and infinity."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from tests.kernels.reductions.support import agreed, of_lanes

SHAPES = ((1, 16), (3, 15), (5, 17), (13, 8), (11, 37), (601, 31), (7, 1040), (2, 1031), (9, 3))


@pytest.mark.parametrize("width", [2, 8, 16])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_it_agrees_with_the_reference(op: str, dtype: str, width: int, device: DeviceInfo) -> None:
    tolerance = 1e-5 if dtype == "float32" else 4e-3
    rng = np.random.default_rng(3)
    for shape in SHAPES:
        x = rng.uniform(-4, 4, shape).astype(dtype)
        agreed(op, x, of_lanes(device, width), tolerance, axis=-1)


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_nan_and_infinity_spoil_their_row_alone(op: str, width: int, device: DeviceInfo) -> None:
    x = np.random.default_rng(4).uniform(-4, 4, (54, 37)).astype(np.float32)
    for row in range(37):  # at each place of a row, beside rows without
        x[row + row // 3, row] = (np.nan, np.inf, -np.inf)[row % 3]
    x[50, :] = -np.inf
    x[51, :] = np.nan
    x[52, 1:] = -np.inf
    expected = agreed(op, x, of_lanes(device, width), 1e-5, axis=-1)
    assert np.isnan(expected).any() and not np.isnan(expected).all()
    assert not np.isnan(expected[52]).any()

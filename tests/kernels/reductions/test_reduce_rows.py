"""Reductions of rows: what is behind the last whole vector, element by element or as one vector more, NaN and infinity."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from tests.kernels.reductions.support import agreed, of_lanes

WIDTHS = [2, 8, 16]
LENGTHS = (3, 7, 8, 12, 13, 16, 20, 21, 31, 37, 1029)
OPERATORS = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceLogSumExp")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", OPERATORS)
def test_it_agrees_with_the_reference(op: str, width: int, device: DeviceInfo) -> None:
    rng = np.random.default_rng(5)
    for n in LENGTHS:
        x = rng.uniform(0.9, 1.1, (5, n)).astype(np.float32)
        agreed(
            op,
            x * rng.choice(np.float32([-1, 1]), n),
            of_lanes(device, width),
            2e-5,
            (1,),
            keepdims=0,
        )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin", "ReduceMean", "ReduceL2"])
def test_nan_and_infinity_stay_wherever_they_are(op: str, width: int, device: DeviceInfo) -> None:
    for n in (29, 67):
        x = np.random.default_rng(6).standard_normal((2 * n, n)).astype(np.float32)
        odd = (np.nan, -np.nan, np.inf, -np.inf)
        for row in range(n):  # the rows behind have two of them
            x[row, row] = odd[row % 4]
            x[n + row, [row, row * 5 % n]] = np.nan, odd[row % 4]
        expected = agreed(op, x, of_lanes(device, width), 2e-5, (1,), keepdims=0)
        assert np.isnan(expected[n:]).all() and not np.isnan(expected).all()

"""Of equal maxima the first one takes it all, NaN is the largest, and every kernel adds up the same."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.cases.base import Case, Operand, window
from clconv.device.info import DeviceInfo
from clconv.graph.reference import run_reference
from tests.kernels.support import plans, run

ATTRS = {"kernel_shape": (3, 3), **window(2, strides=(2, 2), pads=(1, 1, 1, 1))}


@pytest.mark.parametrize("special", [False, True])
def test_equal_maxima(device: DeviceInfo, special: bool) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-1, 2, (2, 9, 12, 29)).astype(np.float32)
    if special:
        x[rng.random(x.shape) < 0.1] = np.nan
        x[rng.random(x.shape) < 0.1] = -np.inf
    case = Case("MaxPoolWithTaps", "equal", (Operand(x.shape, values=x),), ATTRS, outputs=2)
    graph, feeds = case.build()
    expected = run_reference(graph, feeds)
    for variant, plan in plans(case, device):
        found = run(plan, feeds)
        for name, reference in expected.items():
            np.testing.assert_array_equal(found[name], reference, f"{variant}, {name}")


def test_twice_is_the_same_to_the_bit(device: DeviceInfo) -> None:
    """And alike in all variants: a pixel adds up its windows in one order."""
    shape, rng = (2, 9, 12, 29), np.random.default_rng(4)
    taps = Operand((2, 9, 6, 15), "uint8", values=rng.integers(0, 9, (2, 9, 6, 15)))
    dy = Operand((2, 9, 6, 15))
    case = Case("MaxPoolGradient", "bits", (dy, taps), {**ATTRS, "size": shape[2:]})
    graph, feeds = case.build()
    (name,) = graph.outputs
    for _, plan in plans(case, device):
        np.testing.assert_array_equal(run(plan, feeds)[name], run(plan, feeds)[name])

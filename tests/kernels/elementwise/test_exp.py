"""Exp is right to some units in the last place, from where it is 0 to where it is infinite."""

from __future__ import annotations

import numpy as np

from clconv.device.info import DeviceInfo
from tests.kernels.elementwise.test_arcs import found
from tests.kernels.elementwise.test_circle import units

UNITS = 3  # OpenCL's limit for its own


def test_to_units_in_the_last_place(device: DeviceInfo) -> None:
    rng = np.random.default_rng(0)
    small = np.exp(rng.uniform(-40, 0, 1000))
    x = np.concatenate(
        [rng.uniform(-87.3, 88.7, 100000), small, -small, [0.0, -0.0, 88.72, -87.33]]
    )
    x = np.resize(x.astype(np.float32), x.size // 32 * 32)
    error = units(found("Exp", x, device), np.exp(x.astype(np.float64)))
    assert error.max() <= UNITS, f"at {x[error.argmax()]}"


def test_where_floats_end(device: DeviceInfo) -> None:
    """Denormal results, which a device may take for 0, nothing, infinity and NaN."""
    ends = (-88.0, -95.0, -103.0, -110.0, -1e30, -np.inf, 88.73, 89.5, 1e30, np.inf, np.nan)
    x = np.resize(np.array(ends, np.float32), 41)  # scalars behind the vectors, too
    with np.errstate(all="ignore"):
        right = np.exp(x)
    np.testing.assert_allclose(found("Exp", x, device), right, rtol=1e-6, atol=1.3e-38)

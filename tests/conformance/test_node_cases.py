"""The shortcut through onnx's own arithmetic gives what onnx gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conformance.node_cases import pool, whole_windows


@pytest.mark.parametrize("kind", ["AVG", "MAX", "LPPOOL"])
@pytest.mark.parametrize(
    ("pads", "strides", "dilations", "counts"),
    [
        (None, None, None, 0),
        ([1, 0, 1, 2], [2, 1], [1, 2], 0),
        ([1, 0, 1, 2], [2, 1], [1, 2], 1),
    ],
)
def test_pools(kind: str, pads: Any, strides: Any, dilations: Any, counts: int) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 7, 9)).astype(np.float32)
    around = pads or [0] * 4
    filling = 0 if counts and kind != "MAX" else np.nan
    padded = np.pad(
        x,
        ((0, 0), (0, 0), (around[0], around[2]), (around[1], around[3])),
        constant_values=filling,
    )
    reach = [1 + d for d in dilations or (1, 1)]  # of two elements
    out = [
        (n - r) // s + 1 for n, r, s in zip(padded.shape[2:], reach, strides or (1, 1), strict=True)
    ]
    given = (padded, x.shape, [2, 2], strides, out, kind, pads, pads, dilations, counts, 2)
    np.testing.assert_allclose(whole_windows(*given), pool(*given), rtol=1e-6)

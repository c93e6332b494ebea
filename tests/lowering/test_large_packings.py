"""Packings that fill memory they are given: every element of it, with what their formula says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clconv.lowering.ops.conv import transforms
from clconv.lowering.ops.conv.winograd import winograd_weights
from clconv.lowering.ops.gemm.panels import panel_packing

TRANSFORMS = {
    "F2_3": transforms.F2_3,
    "F4_3": transforms.F4_3,
    "F2_5": transforms.F2_5,
    "F4_3_STRIDE_2": transforms.F4_3_STRIDE_2,
}


def used_memory(shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """As a device's: it holds what was there before."""
    return np.full(shape, np.nan, dtype)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 8), (17, 23), (24, 211), (50, 1031)])
@pytest.mark.parametrize("blocks", [(8, 8), (8, 24), (16, 48), (4, 4)])
def test_winograd(name: str, shape: tuple[int, int], blocks: tuple[int, int]) -> None:
    transform, (filters, channels), (in_block, out_block) = TRANSFORMS[name], shape, blocks
    rng = np.random.default_rng(0)
    w = rng.standard_normal((*shape, transform.window, transform.window)).astype(np.float32)
    found = winograd_weights(transform, in_block, out_block).fill(w, used_memory)
    g = np.asarray(transform.weights)
    wanted = np.zeros(
        (-(-filters // out_block) * out_block, -(-channels // in_block) * in_block, transform.n**2)
    )
    wanted[:filters, :channels] = (g @ w.astype(np.float64) @ g.T).reshape(*shape, -1)
    blocked = wanted.reshape(-1, out_block, wanted.shape[1] // in_block, in_block, transform.n**2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, blocked.transpose(0, 4, 2, 3, 1), rtol=0, atol=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 1), (31, 16), (32, 17), (33, 50), (100, 15), (2, 3, 40, 37), (0, 5), (5, 0)]
)
def test_panels(dtype: type[np.floating], transposed: bool, shape: tuple[int, ...]) -> None:
    rng, width = np.random.default_rng(0), 16
    matrices = rng.standard_normal(shape).astype(dtype)
    stored = np.ascontiguousarray(matrices.swapaxes(-1, -2)) if transposed else matrices
    inner, columns = shape[-2:]
    batch = math.prod(shape[:-2])
    for alpha in (1.0, -0.75):
        found = panel_packing(transposed, width, alpha).fill(stored, used_memory)
        wanted = np.zeros((batch, inner, -(-columns // width) * width))
        wanted[..., :columns] = matrices.astype(np.float64).reshape(batch, inner, columns) * alpha
        kept = np.float16 if dtype is np.float16 and alpha == 1 else np.float32
        assert found.dtype == kept
        panels = wanted.reshape(batch, inner, -(-columns // width), width).transpose(0, 2, 1, 3)
        np.testing.assert_allclose(found, panels, rtol=0 if kept is np.float16 else 1e-6)


def test_the_function_fills_memory_of_its_own() -> None:
    packing = panel_packing(False, 8, 1.0)
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(
        packing.function(matrix)[0, 0], [[0, 1, 2, 0, 0, 0, 0, 0], [3, 4, 5, 0, 0, 0, 0, 0]]
    )

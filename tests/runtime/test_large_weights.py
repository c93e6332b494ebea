"""Weights of megabytes from a file, several threads at once: each constant arrives as itself."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest

import clconv
from tests.frontend.support import model, node, value

# The largest in the middle: what is read after it lies in the same memory, and so does what comes before the next.
SIZES = (601, 523, 1031, 521, 600, 769)


@pytest.mark.parametrize("kind", ["Gemm", "MatMul", pytest.param("Conv", marks=pytest.mark.slow)])
def test_large_weights_from_a_file(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    channels = [601, *SIZES]
    pairs = list(itertools.pairwise(channels))
    weights, nodes, products = {}, [], []
    for i, (inner, outer) in enumerate(pairs):
        w = rng.standard_normal((inner, outer)).astype(np.float32) / np.float32(inner**0.5)
        name, x, y = f"w{i}", f"x{i}", f"x{i + 1}"
        if kind == "Conv":
            spread = rng.standard_normal((outer, inner, 3, 3)).astype(np.float32)
            w = spread / np.float32(3 * inner**0.5)
            nodes.append(node("Conv", [x, name], [y], pads=[1, 1, 1, 1]))
            products.append(_window_matrix(w))
        elif kind == "Gemm":
            w = np.ascontiguousarray(w.T)
            nodes.append(node("Gemm", [x, name], [y], transB=1))
            products.append(w.T.astype(np.float64))
        else:
            nodes.append(node("MatMul", [x, name], [y]))
            products.append(w.astype(np.float64))
        weights[name] = w
    shape = (1, channels[0], 6, 6) if kind == "Conv" else (9, channels[0])
    outputs = [f"x{i + 1}" for i in range(len(pairs))]
    made = model(nodes, [value("x0", *shape)], outputs, weights)
    path = tmp_path / "model.onnx"
    onnx.save(made, str(path), save_as_external_data=True, location="data", size_threshold=0)
    x = rng.standard_normal(shape).astype(np.float32)
    found = clconv.load(path).run({"x0": x})
    before = x
    for i, product in enumerate(products):
        after = found[f"x{i + 1}"]
        if kind == "Conv":
            wanted = _convolved(before, product)
        else:
            wanted = before.astype(np.float64) @ product
        np.testing.assert_allclose(after, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
        before = after


def _window_matrix(w: np.ndarray) -> np.ndarray:
    """(9 * channels, filters) of a 3x3 window."""
    return w.transpose(2, 3, 1, 0).reshape(-1, w.shape[0]).astype(np.float64)


def _convolved(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A 3x3 convolution, padded by one, as a product with every window."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    rows = windows.transpose(0, 2, 3, 4, 5, 1).reshape(x.shape[2] * x.shape[3], -1)
    return (rows @ matrix).T.reshape(1, -1, *x.shape[2:])

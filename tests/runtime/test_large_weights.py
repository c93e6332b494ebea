"""Weights of megabytes, several threads at once: each constant arrives as itself, while kernels are compiled."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import KernelBuildError
from clconv.graph.ir import Graph
from clconv.runtime import pages
from clconv.runtime.constants import DeviceConstants
from clconv.runtime.opencl.compiler import Compiler
from clconv.session.session import Session
from tests.frontend.support import model, node, value
from tests.graph.graph_builder import Builder
from tests.patience import HANG
from tests.runtime.support import assert_runs_right, picture

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


def large() -> Graph:
    """Two products of a megabyte of weights each."""
    b = Builder()
    y = b.input(3, 520)
    for number in range(2):
        weights = np.random.default_rng(number).standard_normal((520, 520)).astype(np.float32)
        y = b.node("MatMul", y, b.constant(weights / np.float32(23)))
    return b.graph(y)


def test_weights_are_packed_while_kernels_are_compiled(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, is_packed, prepare = large(), threading.Event(), Compiler.prepare
    if not pages.are_wanted(device):
        pytest.skip("weights are written by the device's driver, which may be busy compiling")
    made = DeviceConstants._made

    def noted(self: DeviceConstants, *arguments: Any) -> Any:
        try:
            return made(self, *arguments)
        finally:
            is_packed.set()

    def waiting(self: Compiler, *arguments: Any) -> Any:
        assert is_packed.wait(HANG)
        return prepare(self, *arguments)

    monkeypatch.setattr(DeviceConstants, "_made", noted)
    monkeypatch.setattr(Compiler, "prepare", waiting)
    assert_runs_right(Session(graph, device), graph, {"x": picture(3, 520)})


def test_what_fails_to_compile_leaves_no_thread_behind(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: Any) -> None:
        raise KernelBuildError("refused")

    monkeypatch.setattr(Compiler, "prepare", refused)
    with pytest.raises(KernelBuildError, match="refused"):
        Session(large(), device)
    assert not [t for t in threading.enumerate() if t.name.startswith("clconv packing")]


def _window_matrix(w: np.ndarray) -> np.ndarray:
    """(9 * channels, filters) of a 3x3 window."""
    return w.transpose(2, 3, 1, 0).reshape(-1, w.shape[0]).astype(np.float64)


def _convolved(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A 3x3 convolution, padded by one, as a product with every window."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    rows = windows.transpose(0, 2, 3, 4, 5, 1).reshape(x.shape[2] * x.shape[3], -1)
    return (rows @ matrix).T.reshape(1, -1, *x.shape[2:])

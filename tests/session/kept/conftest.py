"""An empty cache for each test, a small model, and what tells whether networks are planned."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

import clconv
from clconv import ahead, loading
from clconv.device.info import DeviceInfo
from clconv.frontend.layers import Conv2d, MaxPool2d, Relu, Sequential
from clconv.frontend.onnx import export_onnx
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.planning.planner import Planner
from clconv.runtime.opencl import is_pocl
from clconv.runtime.opencl.compiler import Compiler
from clconv.session import behind
from clconv.store.trust import make_private

LAYERS = Sequential(Conv2d(9, 3), Relu(), MaxPool2d(2), Conv2d(8, 3), Relu())
X = np.random.default_rng(0).standard_normal((1, 3, 16, 16), np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    folder = tmp_path / "cache"
    make_private(folder)
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _kept_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is there when a load returns."""

    def ends() -> NoReturn:
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(behind, "_pool", ends)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    clconv.save(LAYERS.build((3, 16, 16)), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by each plan of a network that is made, but for those of probes."""
    found: list[Any] = []
    plan = Planner.plan

    def noted(self: Planner, *arguments: Any, **options: Any) -> Any:
        found.extend([arguments] * (arguments[0].name != "probe"))
        return plan(self, *arguments, **options)

    monkeypatch.setattr(Planner, "plan", noted)
    return found


def networks(cache: Path) -> list[Path]:
    return list((cache / "networks").glob("*.clconv"))


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return list(found) == list(expected) and all(
        np.array_equal(found[name], expected[name]) for name in expected
    )


@pytest.fixture
def of_any_width(tmp_path: Path) -> Path:
    node = make_node("Relu", ("x",), ("y",), "relu")
    spec = TensorSpec((1, 3, "width"))
    export_onnx(Graph("any", (node,), ("x",), ("y",), {"x": spec}), tmp_path / "any.onnx")
    return tmp_path / "any.onnx"


@pytest.fixture
def two_cores(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> DeviceInfo:
    """A device for which something is compiled ahead, on any number of cores."""
    if not is_pocl(device.platform) or not sys.executable:
        pytest.skip("nothing is compiled ahead for this driver")
    # Kept plans are not used while a process of another test has just died at its work, or the disk is full.
    monkeypatch.setattr(Compiler, "is_in_doubt", lambda self: False)
    for module in (ahead, loading):
        monkeypatch.setattr(module, "usable_cores", lambda: 2)
    return device

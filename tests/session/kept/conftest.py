"""An empty cache for each test, a small model, and what tells whether networks are planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clconv
from clconv.frontend.layers import Conv2d, MaxPool2d, Relu, Sequential
from clconv.planning.planner import Planner
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


@pytest.fixture
def model(tmp_path: Path) -> Path:
    clconv.save(LAYERS.build((3, 16, 16)), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by each plan that is made."""
    found: list[Any] = []
    plan = Planner.plan

    def noted(self: Planner, *arguments: Any, **options: Any) -> Any:
        found.append(arguments)
        return plan(self, *arguments, **options)

    monkeypatch.setattr(Planner, "plan", noted)
    return found


def networks(cache: Path) -> list[Path]:
    return list((cache / "networks").glob("*.clconv"))


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return list(found) == list(expected) and all(
        np.array_equal(found[name], expected[name]) for name in expected
    )

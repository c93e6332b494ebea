"""PyTorch's modules for tests, and how close results have to be. Skips whoever imports it where PyTorch is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnxscript", reason="PyTorch's exporter needs onnxscript")
nn = torch.nn


def small() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten(),
        nn.Linear(36, 5),
    )  # fmt: skip


def close(found: Any, expected: Any, most: float = 2e-5) -> None:
    expected = np.asarray(expected.detach())
    found = np.asarray(found.detach() if hasattr(found, "detach") else found)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert np.abs(found - expected).max() <= most * max(1, np.abs(expected).max())

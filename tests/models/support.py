"""Runs a model on clconv and on onnxruntime and compares every output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

import clconv
from clconv.device.info import DeviceInfo
from clconv.runtime.check import relative_error

TOLERANCE = 1e-4


def peer(model: Path | bytes) -> onnxruntime.InferenceSession:
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])


def agree(model: Path, feeds: dict[str, np.ndarray], device: DeviceInfo) -> dict[str, np.ndarray]:
    """clconv's outputs, after checking that onnxruntime's are the same."""
    found = clconv.load(model, device=device).run(feeds)
    compare(found, feeds, peer(model))
    return found


def compare(
    found: dict[str, np.ndarray],
    feeds: dict[str, np.ndarray],
    reference: onnxruntime.InferenceSession,
) -> None:
    names = [output.name for output in reference.get_outputs()]
    for name, expected in zip(names, reference.run(names, feeds), strict=True):
        assert found[name].dtype == expected.dtype
        error = relative_error(found[name], np.asarray(expected))
        assert error < TOLERANCE, f"output {name} differs by {error:.3g} of its largest value"


def photo(path: Path, height: int, width: int) -> np.ndarray:
    """An image as float32 (1, 3, height, width) in 0..1."""
    image = Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255

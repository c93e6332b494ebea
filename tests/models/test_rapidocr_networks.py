"""The three networks that RapidOCR ships, at several sizes, against onnxruntime."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import clconv
from clconv.device.info import DeviceInfo
from tests.models.support import compare, peer

pytest.importorskip("rapidocr")

PAGE = "departures.png"


def network(part: str) -> Path:
    """The shipped model file whose name says it detects (det), orients (cls) or recognises (rec)."""
    folder = Path(str(resources.files("rapidocr"))) / "models"
    found = [p for p in sorted(folder.glob("*.onnx")) if f"_{part}" in p.name]
    if not found:
        pytest.skip(f"this rapidocr ships no {part} network")
    return found[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "shapes"),
    [
        ("det", [(1, 3, 96, 160), (1, 3, 64, 64)]),
        ("cls", None),
        ("rec", [(1, 3, 48, 160), (2, 3, 48, 96)]),
    ],
)
def test_network_agrees_with_onnxruntime(
    part: str, shapes: list[tuple[int, ...]] | None, device: DeviceInfo
) -> None:
    path = network(part)
    session, reference = clconv.load(path, device=device), peer(path)
    (name, spec), *_ = session.inputs.items()
    if shapes is None:
        sizes = [d if isinstance(d, int) else None for d in spec.shape]
        defaults = (2, 3, 48, 192)
        shapes = [tuple(d or fallback for d, fallback in zip(sizes, defaults, strict=True))]
    for shape in shapes:
        feeds = {name: text(*shape)}
        compare(session.run(feeds), feeds, reference)


def text(batch: int, channels: int, height: int, width: int) -> np.ndarray:
    """Parts of the demo's page in -1..1. On noise the detector answers about 1e-3 everywhere, where
    onnxruntime itself is off by 1e-4 from the float64 reference."""
    page = Image.open(str(resources.files("clconv") / "demo" / PAGE)).convert("RGB")
    pixels = np.asarray(page, np.float32).transpose(2, 0, 1) / 127.5 - 1
    parts = []
    for i in range(batch):
        top, left = 40 * i, 30
        parts.append(pixels[:channels, top : top + height, left : left + width])
    return np.ascontiguousarray(np.stack(parts))

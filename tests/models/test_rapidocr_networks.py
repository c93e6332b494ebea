"""The three networks that RapidOCR ships, at several sizes, against onnxruntime."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import clconv
from clconv.lowering.device import DeviceInfo
from tests.models.support import compare, peer

pytest.importorskip("rapidocr")


def network(part: str) -> Path:
    """The shipped model file whose name says it detects (det), orients (cls) or recognises (rec)."""
    folder = Path(str(resources.files("rapidocr"))) / "models"
    found = [p for p in sorted(folder.glob("*.onnx")) if f"_{part}" in p.name]
    if not found:
        pytest.skip(f"this rapidocr ships no {part} network")
    return found[0]


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
    rng = np.random.default_rng(1)
    for shape in shapes:
        feeds = {name: rng.uniform(-1, 1, shape).astype(np.float32)}
        compare(session.run(feeds), feeds, reference)

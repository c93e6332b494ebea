"""The demo reads its own picture and saves it with what it read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clconv.demo import FOOTER, HEADING, LINES, PICTURE
from tests.cli.conftest import Clconv

pytest.importorskip("rapidocr")


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo sets what it needs for the rest of its process; this one goes on without."""
    import sys

    from clconv.compat.onnxruntime import InferenceSession

    monkeypatch.setattr(InferenceSession, "progress", None)
    monkeypatch.setenv("CLCONV_DEVICE", "")
    for name in [n for n in sys.modules if n.split(".")[0] in ("onnxruntime", "rapidocr")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)


def test_demo(clconv: Clconv, tmp_path: Path) -> None:
    target = tmp_path / "annotated.png"
    printed = clconv.works("demo", "--output", target)
    for text in (HEADING, FOOTER, *(part for line in LINES for part in line)):
        assert text in printed
    for word in ("device:", "confidence", "detection", "direction", "recognition", "milliseconds"):
        assert word in printed
    assert "networks read 14 lines in" in printed.splitlines()[-1] and "then try" in printed
    with Image.open(PICTURE) as before, Image.open(target) as after:
        assert after.size == (2 * before.width, before.height)
        assert after.convert("RGB").getcolors(1 << 24) is not None


@pytest.mark.parametrize("size", [(1312, 720), (640, 480), (480, 640), (3000, 900), (901, 2300)])
def test_detection_is_compiled_for_what_it_is_given(size: tuple[int, int]) -> None:
    from rapidocr.ch_ppocr_det.utils import DetPreProcess
    from rapidocr.utils.process_img import resize_image_within_bounds

    from clconv.cli.reading import _detected

    width, height = size
    picture, *_ = resize_image_within_bounds(np.zeros((height, width, 3), np.uint8), 30, 2000)
    assert DetPreProcess().resize(picture).shape[:2] == _detected(size)


def test_demo_says_no(clconv: Clconv, tmp_path: Path) -> None:
    clconv.fails("demo", "-o", tmp_path / "no/a.png", saying="no folder")
    clconv.fails("demo", "-o", "a.txt", saying=".txt")
    clconv.fails("demo", "-i", tmp_path / "none.png", saying="none.png")
    clconv.fails("demo", "-d", "no such thing", saying="no such thing")

"""RapidOCR, unchanged, reads the same text on clconv as on onnxruntime."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clconv.demo import FOOTER, HEADING, LINES, PICTURE

pytest.importorskip("rapidocr")

# One process for each engine, because RapidOCR imports onnxruntime once.
_READ = """
import json, sys
if sys.argv[1] == "clconv":
    import clconv.compat.onnxruntime
    sys.modules["onnxruntime"] = clconv.compat.onnxruntime
from rapidocr import RapidOCR
engine = RapidOCR(params={"Global.log_level": "critical"})
found = []
for path in sys.argv[2:]:
    result = engine(path)
    found.append([list(result.txts or ()), [float(s) for s in result.scores or ()]])
print(json.dumps(found))
"""


def read(engine: str, pictures: list[Path]) -> list[tuple[list[str], list[float]]]:
    command = [sys.executable, "-c", _READ, engine, *map(str, pictures)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [(texts, scores) for texts, scores in json.loads(done.stdout.splitlines()[-1])]


def rotated(folder: Path) -> Path:
    """The demo's picture upside down, for the network that tells directions."""
    from PIL import Image

    target = folder / "upside-down.png"
    Image.open(PICTURE).convert("RGB").rotate(180).resize((700, 394)).save(target)
    return target


@pytest.mark.slow
def test_it_reads_what_it_reads_on_onnxruntime(shared_images: Path, tmp_path: Path) -> None:
    pictures = [PICTURE, shared_images / "page.png", rotated(tmp_path)]
    expected = read("onnxruntime", pictures)
    found = read("clconv", pictures)
    for picture, (texts, scores), (right, sure) in zip(pictures, found, expected, strict=True):
        assert right, f"onnxruntime reads nothing in {picture.name}"
        assert texts == right, picture.name
        assert scores == pytest.approx(sure, abs=2e-3), picture.name


@pytest.mark.slow  # tests/cli/test_demo.py reads it in the quick run
def test_the_demos_picture_says_what_was_drawn() -> None:
    ((texts, scores),) = read("clconv", [PICTURE])
    drawn = [HEADING, *(part for line in LINES for part in line), FOOTER]
    assert sorted(texts) == sorted(drawn)
    assert min(scores) > 0.9

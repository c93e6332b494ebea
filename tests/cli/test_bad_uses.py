"""Bad uses of every command: one clear line and a non-zero exit, before any work begins."""

from __future__ import annotations

import json
import os
import shlex
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from tests.cli.bad_uses import BAD_USES
from tests.cli.conftest import Clconv
from tests.compat.models import brightener


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, models: Path, picture: Path) -> Path:
    """A folder with models, inputs, and files that are none of these."""
    folder = tmp_path_factory.mktemp("bad uses")
    for model in models.glob("*.onnx"):
        (folder / model.name).symlink_to(model)
    fixed = brightener()
    for value in (*fixed.graph.input, *fixed.graph.output):
        for dim, size in zip(value.type.tensor_type.shape.dim, (1, 3, 8, 8), strict=True):
            dim.dim_value = size
    onnx.save(fixed, str(folder / "fixed.onnx"))
    (folder / "ok.png").symlink_to(picture)
    np.save(folder / "ok.npy", np.zeros((1, 3, 8, 8), np.float32))
    np.save(folder / "chw.npy", np.zeros((3, 8, 8), np.float32))
    np.save(folder / "a.npy", np.zeros((2, 3), np.float32))
    np.save(folder / "other shape.npy", np.zeros((1, 3, 9, 8), np.float32))
    np.save(folder / "objects.npy", np.array([{}, None], object), allow_pickle=True)
    np.save(folder / "complex.npy", np.zeros((1, 3, 8, 8), complex))
    (folder / "text.npy").write_text("1 2 3\n4 5 6\n")
    (folder / "cut.npy").write_bytes((folder / "ok.npy").read_bytes()[:-100])
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 3, 8, 8), }"
    (folder / "claims.npy").write_bytes(_npy(header % 2**62))
    (folder / "deep.npy").write_bytes(_npy(b"(" * 4000))
    np.savez(folder / "stranger.npz", nobody=np.zeros(3))
    np.savez(folder / "objects.npz", image=np.array([{}], object), allow_pickle=True)
    (folder / "ok.npz").write_bytes(b"PK\x03\x04 no archive")
    _bomb(folder / "bomb.npz", "image", 6 * 2**30)
    (folder / "text.png").write_text("no picture")
    (folder / "cut.png").write_bytes(picture.read_bytes()[:60])
    Image.fromarray(np.ones((8, 8), np.float32)).save(folder / "floats.tif")
    Image.fromarray(np.ones((8, 8), np.int32)).save(folder / "integers.tif")
    (folder / "empty.txt").touch()
    (folder / "latin.txt").write_bytes(b"caf\xe9\n")
    (folder / "few.txt").write_text("one\ntwo\n")
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "nested.json").write_text(json.dumps([["n01", ["a"]]] * 10))
    (folder / "digits.json").write_text("[" + "1" * 10_000 + "]")
    (folder / "bad.json").write_text("{")
    (folder / "folder").mkdir()
    (folder / "folder.npz").mkdir()
    (folder / "not a model.onnx").write_text("hello")
    if hasattr(os, "mkfifo"):
        for name in ("pipe.txt", "pipe.png", "pipe.npy", "pipe.npz", "pipe.json", "pipe.onnx"):
            os.mkfifo(folder / name)
    return folder


def _npy(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def _bomb(path: Path, name: str, nbytes: int) -> None:
    """An archive whose only member says that it has so many bytes."""
    np.savez_compressed(path, **{name: np.zeros(1000, np.float32)})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = min(nbytes, 2**32 - 2).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].file_size > 2**31


class _Started(BaseException):
    """Work began."""


def _refuse(*arguments: Any, **options: Any) -> None:
    raise _Started


@pytest.mark.parametrize(("typed", "said"), BAD_USES, ids=[typed for typed, _ in BAD_USES])
def test_it_is_refused_before_any_work(
    typed: str, said: str, clconv: Clconv, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = shlex.split(typed)
    if any(a.startswith("pipe.") for a in arguments) and not hasattr(os, "mkfifo"):
        pytest.skip("there are no pipes in folders here")
    if "/dev/zero" in arguments and not Path("/dev/zero").exists():
        pytest.skip("there is no /dev/zero here")
    if arguments[0] == "demo":
        pytest.importorskip("rapidocr")
    monkeypatch.chdir(place)
    for work in (
        "runtime.prepared.open_device",
        "runtime.worker.Worker.call",
        "session.session.Session.run",
    ):
        monkeypatch.setattr(f"clconv.{work}", _refuse)
    monkeypatch.setattr("clconv.cli.demo._read", _refuse)
    before = sorted(place.iterdir())
    result = clconv(*arguments)
    assert result.exit_code in (1, 2), result.output
    assert result.stdout == "" or arguments[0] == "devices"  # which lists what there is
    assert any(part in result.stderr for part in said.split("|")), result.stderr
    assert not isinstance(result.exception, Exception), result.exception
    if result.exit_code == 1:
        *others, line = result.stderr.splitlines()
        assert line.startswith("clconv: error: ")
        assert not others or arguments[0] == "devices"
    assert sorted(place.iterdir()) == before  # nothing was written


# Of one input; what is in the file is read before the network is compiled.
BAD_FILES = {
    "text.npy": "no readable .npy file",
    "objects.npy": "Python objects",
    "complex.npy": "complex128",
    "cut.npy": "cut off",
    "claims.npy": "cut off",
    "deep.npy": "no readable .npy file",
    "other shape.npy": "image",
    "ok.npz": "no readable .npz file",
    "objects.npz": "Python objects",
    "stranger.npz": "nobody",
    "bomb.npz": "unpacks to",
    "cut.png": "cannot be read as a picture",
    "floats.tif": "no known range",
    "integers.tif": "no known range",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_is_read_before_the_network_is_compiled(
    name: str, clconv: Clconv, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clconv.runtime.prepared.open_device", _refuse)
    for command in ("run", "check"):
        clconv.fails(command, place / "classifier.onnx", "-i", place / name, saying=BAD_FILES[name])

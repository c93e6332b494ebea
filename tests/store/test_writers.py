"""Everything that clconv writes leaves the old file where the disk is full, and says which file it was."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import clconv
from clconv.cli.pixels import Pixels
from clconv.cli.results import Target
from clconv.errors import ConfigError, ModelError
from clconv.frontend.onnx.export.exporter import export_onnx
from clconv.layers import Conv2d, Sequential
from clconv.runtime.dump import Dump
from clconv.runtime.quarantine import quarantine_file
from clconv.store.records import write_records
from tests.store.test_files import FullDisk, full_disk

__all__ = ["full_disk"]

OUTPUTS = {"y": np.ones((1, 3, 4, 4), np.float32)}
NETWORK = Sequential(Conv2d(4, 3)).build((3, 8, 8))
ROOMS = (0, 1, 17, 60)


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("name", ["out.npy", "out.npz", "out.png", "out.jpg"])
def test_outputs(full_disk: None, tmp_path: Path, name: str, room: int) -> None:
    pytest.importorskip("PIL")
    path = tmp_path / name
    path.write_bytes(b"before")
    FullDisk.room = room
    with pytest.raises(OSError, match="No space left") as raised:
        Target(path).save(OUTPUTS, Pixels(1 / 255))
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1
    FullDisk.room = 1 << 20
    Target(path).save(OUTPUTS, Pixels(1 / 255))
    assert len(path.read_bytes()) > 60


@pytest.mark.parametrize("room", ROOMS)
def test_models_and_results(full_disk: None, tmp_path: Path, room: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    FullDisk.room = room
    with pytest.raises(ModelError, match="No space left"):
        export_onnx(NETWORK, path)
    FullDisk.room = room
    with pytest.raises(OSError, match="No space left"):
        write_records(path, [{"a": "b" * 100}])
    FullDisk.room = room
    with pytest.raises(OSError, match="No space left"):
        write_records(quarantine_file(), [{"a": "b" * 100}], own=True)
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1
    assert not quarantine_file().exists()


@pytest.mark.parametrize("room", ROOMS)
def test_dumps(full_disk: None, tmp_path: Path, room: int) -> None:
    FullDisk.room = room
    with pytest.raises(ConfigError, match=r"CLCONV_DUMP=.*No space left"):
        Dump(tmp_path).graph("import", "x", NETWORK)


def test_nothing_else_writes_files() -> None:
    """A write of its own would leave half a file on a full disk."""
    writing = re.compile(
        r"\.write_(text|bytes)\(|\bnp\.savez?\(\s*path|\.open\(\s*\"[wax]|open\([^)]*\"[wax]b?\""
    )
    package = Path(clconv.__file__).parent
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if writing.search(
            ast.unparse(ast.parse(path.read_text(encoding="utf-8"))).replace("'", '"')
        )
    }
    # arrays.py and tables.py write an archive's members into a file that replacing() opened; terminal.py opens the null
    # device. journal.py appends to files of an unfinished run, and cuts them to the last whole step when that goes on.
    allowed = {
        "cli/arrays.py",
        "cli/running/tables.py",
        "cli/terminal.py",
        "cli/running/journal.py",
    }
    assert found <= {"store/files.py", *allowed}

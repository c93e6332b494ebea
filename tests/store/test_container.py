"""Files of blobs: read as they were written, and never believed once a byte has changed."""

from __future__ import annotations

import json
import os
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from clconv.store.container import Blob, Blobs, write_blobs
from clconv.store.files import Unusable

CONTENT = {"a": b"first", "empty": b"", "b": bytes(range(256)) * 40}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "x.clconv"
    with target.open("wb") as file:
        blobs = [Blob(n, len(c), lambda c=c: c) for n, c in CONTENT.items()]
        write_blobs(file, blobs)
    return target


def test_reads_what_was_written(path: Path) -> None:
    blobs = Blobs(path)
    assert blobs.names == list(CONTENT) and "a" in blobs and "c" not in blobs
    assert {name: blobs.read(name) for name in CONTENT} == CONTENT
    into = np.zeros(blobs.nbytes("b"), np.uint8)
    blobs.read_into("b", into)
    assert into.tobytes() == CONTENT["b"]
    with pytest.raises(Unusable, match="has no 'c'"):
        blobs.read("c")
    with pytest.raises(Unusable, match="in the place of"):
        blobs.read_into("a", into)


def test_large_blobs_can_be_used_where_they_are(path: Path) -> None:
    blobs = Blobs(path)
    memory = blobs.mapped("b")
    assert memory.tobytes() == CONTENT["b"] and memory.ctypes.data % 4096 == 0
    assert not memory.flags.writeable and not blobs.has_changed()
    path.rename(path.with_name("moved"))
    path.write_bytes(b"a new file in its place")
    assert not blobs.has_changed() and memory.tobytes() == CONTENT["b"]
    os.utime(path.with_name("moved"), (1, 1))
    assert blobs.has_changed() and not Blobs(path.with_name("moved")).has_changed()


def test_a_changed_blob_is_not_used_where_it_is(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[whole.index(CONTENT["b"]) + 5000] ^= 1
    path.write_bytes(whole)
    with pytest.raises(Unusable, match="is damaged: 'b'"):
        Blobs(path).mapped("b")


def test_is_a_file_of_safetensors(path: Path) -> None:
    library = pytest.importorskip("safetensors")
    with library.safe_open(path, framework="numpy") as file:
        assert file.get_tensor("b").tobytes() == CONTENT["b"]


def every_blob(path: Path) -> dict[str, bytes]:
    blobs = Blobs(path)
    return {name: blobs.read(name) for name in CONTENT}


@pytest.mark.parametrize("step", [1, 7, 64])
def test_no_file_that_is_cut_off_is_believed(path: Path, step: int) -> None:
    whole = path.read_bytes()
    for length in range(0, len(whole), max(1, step * len(whole) // 500)):
        path.write_bytes(whole[:length])
        with pytest.raises(Unusable):
            every_blob(path)


def test_no_changed_byte_is_believed(path: Path) -> None:
    whole, chance = path.read_bytes(), random.Random(1)
    (length,) = struct.unpack("<Q", whole[:8])
    text = whole[8 : 8 + length].rstrip()
    gaps = [e["data_offsets"] for n, e in json.loads(text).items() if n.startswith("pad-")]
    assert gaps  # what lies there is never read
    places = [*range(0, 8 + len(text)), *(chance.randrange(len(whole)) for _ in range(300))]
    places += range(len(whole) - 60, len(whole))
    for place in places:
        if any(begin <= place - 8 - length < end for begin, end in gaps):
            continue
        changed = bytearray(whole)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(Unusable):
            every_blob(path)


@pytest.mark.parametrize(
    "header",
    [
        [],
        {"__metadata__": {"kind": "clconv network"}},
        {"__metadata__": {"kind": "another"}, "seal": {"data_offsets": [0, 32]}},
        {"__metadata__": {"kind": "clconv network"}, "seal": {"data_offsets": [-4, 4]}},
        {"__metadata__": {"kind": "clconv network"}, "seal": {"data_offsets": [0, 10**30]}},
        {"__metadata__": 5},
    ],
)
def test_headers_of_others_are_refused(tmp_path: Path, header: object) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "x.clconv"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(100))
    with pytest.raises(Unusable):
        Blobs(path)


def test_no_folder_or_pipe_is_read(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="no regular file"):
        Blobs(tmp_path)
    with pytest.raises(FileNotFoundError):
        Blobs(tmp_path / "none")

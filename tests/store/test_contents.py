"""What files hold: remembered, but never across a change."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from clconv.store import contents
from clconv.store.contents import code_of_clconv, content_of, is_same


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one")
    monkeypatch.setattr(contents, "_SETTLED", -1.0)
    first = content_of(path)
    assert first == sha(b"one")
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "sha256", FakeHash)
        assert content_of(path) == first


class FakeHash:
    """Takes names and stamps, which are given whole, but no file, which is given in pieces."""

    def __init__(self, content: bytes = b"") -> None:
        self._real = hashlib.new("sha256", content)

    def update(self, content: bytes) -> None:
        raise AssertionError("the file was read again")

    def hexdigest(self) -> str:
        return self._real.hexdigest()


@pytest.mark.parametrize("settled", [-1.0, 2.0])
def test_a_change_of_the_same_size_and_time_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: float
) -> None:
    """Files remember when they were changed besides what a program may set."""
    monkeypatch.setattr(contents, "_SETTLED", settled)
    path = tmp_path / "x"
    path.write_bytes(b"one")
    os.utime(path, (1e9, 1e9))
    assert content_of(path) == sha(b"one")
    time.sleep(0.02)  # a tick of the clock: what is younger than two seconds is never remembered
    path.write_bytes(b"two")
    os.utime(path, (1e9, 1e9))
    assert content_of(path) == sha(b"two") and is_same(path, sha(b"two"))
    assert not is_same(path, sha(b"one")) and not is_same(tmp_path / "none", sha(b""))


def test_what_was_just_written_is_not_remembered(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one")
    content_of(path)
    assert not list(cache.glob("contents/*"))


def test_damaged_memories_are_not_believed(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_SETTLED", -1.0)
    path = tmp_path / "x"
    path.write_bytes(b"one")
    content_of(path)
    (memory,) = cache.glob("contents/*")
    whole = memory.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        memory.write_bytes(changed)
        assert content_of(path) == sha(b"one")


def test_folders_have_no_content(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no regular file"):
        content_of(tmp_path)


def test_the_code_has_a_checksum_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    first = code_of_clconv()
    code_of_clconv.cache_clear()
    assert code_of_clconv() == first


def test_the_code_of_another_tree_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "clconv"
    package.mkdir()
    (package / "a.py").write_text("a = 1\n")
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "k.mako").write_text("kernel")
    monkeypatch.setattr(contents, "PACKAGE", package)
    found = set()
    for name, text in (("a.py", "a = 1\n"), ("a.py", "a = 2\n"), ("../kernels/k.mako", "other")):
        (package / name).write_text(text)
        code_of_clconv.cache_clear()
        found.add(code_of_clconv())
    code_of_clconv.cache_clear()
    assert len(found) == 3


def test_a_file_is_read_ahead_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"first")
    monkeypatch.setattr(contents, "_SETTLED", -1.0)
    assert contents.begin_content(path)
    found = contents.content_of(path)
    assert found == hashlib.sha256(b"first").hexdigest()
    assert not contents.begin_content(path)  # it is remembered
    monkeypatch.setattr(contents, "_read", lambda whole: pytest.fail("read again"))
    assert contents.content_of(path) == found


def test_what_was_read_ahead_and_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"first")
    assert contents.begin_content(path)
    contents._begun[os.path.realpath(path)].result()
    path.write_bytes(b"another")
    assert contents.content_of(path) == hashlib.sha256(b"another").hexdigest()


def test_what_cannot_be_read_ahead_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert contents.begin_content(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        contents.content_of(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        contents.begin_content(tmp_path / "nothing")


def test_nobody_waits_for_a_thread_that_could_not_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"first")

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            contents.begin_content(path)
    assert contents.content_of(path) == hashlib.sha256(b"first").hexdigest()


def test_what_ends_the_reading_ahead_is_told_whatever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"first")

    def fail(whole: str) -> None:
        raise MemoryError

    monkeypatch.setattr(contents, "_read", fail)
    assert contents.begin_content(path)
    with pytest.raises(MemoryError):
        contents.content_of(path)

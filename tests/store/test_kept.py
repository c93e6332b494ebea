"""CLCONV_CACHE_DIR: made for one user, and nothing in it that another user wrote or could write is read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from clconv import errors
from clconv.errors import ClconvWarning, ConfigError
from clconv.store import trust
from clconv.store.files import Unusable
from clconv.store.kept import kept_path, kept_text, read_kept, write_kept

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners and modes here")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(errors, "_warned", set())
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "a" / "cache"))
    return tmp_path / "a" / "cache"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, who owned the files so far is somebody else."""
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1000)
    if me == 0:  # whose files all may read
        monkeypatch.setattr(trust, "_SYSTEM", -1)


def test_folders_and_files_are_for_this_user_alone(cache: Path) -> None:
    before = os.umask(0)
    try:
        write_kept(kept_path("deep", "er", "file"), "content")
    finally:
        os.umask(before)
    for folder in (cache.parent, cache, cache / "deep", cache / "deep" / "er"):
        assert mode(folder) == 0o700
    assert mode(cache / "deep" / "er" / "file") == 0o600


def test_what_others_can_write_is_not_read(cache: Path) -> None:
    path = kept_path("folder", "file")
    write_kept(path, "content")
    assert read_kept(path, 100) == b"content"
    for bad, good, change in ((path, 0o600, 0o620), (path, 0o600, 0o602),
                              (path.parent, 0o700, 0o770), (cache, 0o700, 0o707)):  # fmt: skip
        bad.chmod(change)
        with pytest.raises(Unusable, match=f"can be written by others: chmod go-w {bad}"):
            read_kept(path, 100)
        bad.chmod(good)
    assert read_kept(path, 100) == b"content"


def test_a_folder_in_which_each_has_his_own_files_is_fine(cache: Path) -> None:
    write_kept(kept_path("folder", "file"), "content")
    cache.chmod(0o1777)
    assert read_kept(kept_path("folder", "file"), 100) == b"content"


def test_what_belongs_to_another_user_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    write_kept(kept_path("file"), "content")
    pretend(monkeypatch)
    with pytest.raises(Unusable, match="belongs to another user"):
        read_kept(kept_path("file"), 100)
    with pytest.raises(ConfigError, match=r"belongs to another user.*CLCONV_CACHE_DIR"):
        write_kept(kept_path("file"), "other")


def test_texts_of_another_user_are_left_alone_with_one_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for key in ("a", "b"):
        assert kept_text("kind", key, lambda: "theirs") == "theirs"
    pretend(monkeypatch)
    with pytest.warns(ClconvWarning, match="belongs to another user") as warned:
        assert [kept_text("kind", key, lambda: "mine") for key in ("a", "b")] == ["mine"] * 2
    assert len(warned) == 1


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)
def test_a_shared_folder(cache: Path) -> None:
    """What the system's own users see: a folder for all, another user's file in it."""
    path = kept_path("kind", "key")
    assert kept_text("kind", "key", lambda: "theirs") == "theirs"
    cache.chmod(0o1777)
    for given in (path, path.parent):
        os.chown(given, 12345, 12345)
        with pytest.warns(ClconvWarning, match="belongs to another user \\(12345\\)"):
            assert kept_text("kind", "key", lambda: "mine") == "mine"
        errors._warned.clear()


def test_old_texts_make_room(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr("clconv.store.kept._TEXTS", 10)
    for i in range(30):
        kept_text("kind", f"{i:02}", lambda: "text")
        os.utime(cache / "kind" / f"{i:02}", (i, i))
    left = sorted(p.name for p in (cache / "kind").iterdir())
    assert 5 <= len(left) <= 10 and left[-1] == "29"

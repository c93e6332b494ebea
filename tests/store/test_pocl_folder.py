"""Where PoCL keeps its programs: a home, a folder of ours, or another."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from clconv.errors import ClconvWarning
from clconv.store import pocl_folder
from clconv.store.pocl_folder import Place, settle_folder
from tests.store.pocl import fresh  # noqa: F401

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="PoCL is not here")


def test_a_home_serves(tmp_path: Path) -> None:
    place = settle_folder()
    assert place == Place(tmp_path / "home" / ".cache" / "pocl" / "kcache")
    assert place.folder is not None and stat.S_IMODE(place.folder.stat().st_mode) == 0o700
    assert os.environ["POCL_CACHE_DIR"] == str(place.folder)


def test_without_a_home_the_folder_is_ours_not_everybodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    place = settle_folder()
    assert place == Place(tmp_path / "ours" / "pocl") and not place.wrong
    assert os.environ["POCL_CACHE_DIR"] == str(place.folder)


@pytest.mark.parametrize("ours", [True, False])
def test_a_home_that_cannot_be_made_is_said(
    ours: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    if not ours:
        monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "file" / "too"))
    place = settle_folder()
    expected = tmp_path / ("ours" if ours else f"temporary/clconv-{os.geteuid()}") / "pocl"
    assert place.folder == expected and place.source is None
    with pytest.warns(ClconvWarning, match=r"cannot be made .*POCL_CACHE_DIR"):
        place.tell()


@pytest.mark.parametrize("temporary", [True, False])
def test_no_folder_at_all_is_the_cause_of_no_device(
    temporary: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> str:
        if not temporary:  # as where nothing can be written
            raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")
        return str(tmp_path / "file")

    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(pocl_folder.tempfile, "gettempdir", found)
    monkeypatch.setattr(pocl_folder, "_temporary", lambda: None)
    place = settle_folder()
    assert place.folder is None and "set POCL_CACHE_DIR" in place.remark


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    usual = tmp_path / "home" / ".cache" / "pocl" / "kcache"
    usual.mkdir(parents=True)
    usual.chmod(0o1777)
    place = settle_folder()
    assert place.folder == tmp_path / "ours" / "pocl" and place.source is None
    assert "can be written by others" in place.wrong


def test_another_users_folder_under_the_temporary_one_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    for name in ("HOME", "CLCONV_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    theirs = tmp_path / "temporary" / f"clconv-{os.geteuid()}"
    theirs.mkdir()
    theirs.chmod(0o777)
    monkeypatch.setattr(pocl_folder, "_temporary", lambda: tmp_path / "new")
    assert settle_folder().folder == tmp_path / "new"


def test_a_full_disk_is_left_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tmp_path / "home" / ".cache" / "pocl" / "kcache"
    monkeypatch.setattr(pocl_folder, "free_bytes", lambda f: 1 << 20 if f == usual else 1 << 30)
    place = settle_folder()
    assert place.folder == tmp_path / "ours" / "pocl" and place.source == usual
    assert "has only 1 MB left" in place.wrong


def test_a_folder_above_that_may_not_be_searched_is_said(tmp_path: Path) -> None:
    """As a user without privileges meets one of another user. Those who run tests may have them: a child gives them up."""
    closed = tmp_path / "closed"
    (closed / "pocl").mkdir(parents=True)
    code = (
        "import os, tempfile\n"
        "from clconv.store.pocl_folder import settle_folder\n"
        "os.geteuid() or os.setuid(65534)\n"
        "tempfile.tempdir = os.environ['CLCONV_CACHE_DIR']\n"
        "print(settle_folder().wrong)\n"
    )
    environment = {
        **os.environ,
        "POCL_CACHE_DIR": str(closed / "pocl"),
        "CLCONV_CACHE_DIR": str(closed / "clconv"),
    }
    closed.chmod(0)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
    finally:
        closed.chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert f"{closed}/pocl" in done.stdout and "Permission denied" in done.stdout

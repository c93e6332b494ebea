"""A process that dies between a build and its record is evidence against the program; a living one's program stays."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clconv.errors import ClconvWarning
from clconv.store.marker import Marker, died_at_work
from clconv.store.pocl_folder import Place
from clconv.store.pocl_programs import Programs
from tests.store.pocl import fresh  # noqa: F401
from tests.store.test_pocl import SOURCE, SYMBOL, compiled, filled

_DIES = """
import os, sys
from pathlib import Path
from clconv.store.pocl_folder import Place
from clconv.store.pocl_programs import Programs
Programs(Place(Path(sys.argv[1]))).check(sys.argv[2], [sys.argv[3]])
os.kill(os.getpid(), 9)
"""


def test_what_a_process_died_of_is_not_used_again(root: Path) -> None:
    """Even where nothing shows that it is damaged."""
    folder = compiled(root)
    done = subprocess.run([sys.executable, "-c", _DIES, root, SOURCE, SYMBOL], check=False)
    assert done.returncode == -9 and list((root / "clconv").glob("at-work-*"))
    with pytest.warns(ClconvWarning, match="a process died"):
        programs = Programs(Place(root))
        programs.check(SOURCE, [SYMBOL])
    assert not folder.exists()
    compiled(root)
    programs.remember()
    assert not list((root / "clconv").glob("at-work-*"))
    Programs(Place(root)).check(SOURCE, [SYMBOL])
    assert folder.exists()


def test_what_another_process_is_at_stays(root: Path) -> None:
    folder = compiled(root)
    at_work = Programs(Place(root))
    at_work.check("other", ["other"])
    subprocess.run([sys.executable, "-c", _DIES, root, SOURCE, SYMBOL], check=False)
    Programs(Place(root)).check(SOURCE, [SYMBOL])
    assert folder.exists()
    at_work.remember()


def test_what_was_made_since_a_death_is_kept(root: Path) -> None:
    """It is a living process's, which PoCL would end if its program went."""
    (root / "clconv").mkdir(mode=0o700, parents=True)
    dead = root / "clconv" / "at-work-dead"
    folder = filled(root)
    for record in (root / "clconv").glob("*.json"):
        record.unlink()
    dead.touch()
    programs = Programs(Place(root))
    programs.check("other", ["other"])  # finds that a process died
    for path in (folder, folder / "last_accessed"):
        if path.exists():
            os.utime(path, (time.time() + 60,) * 2)
    programs.check(SOURCE, [SYMBOL])
    assert folder.exists()
    for path in (folder, folder / "last_accessed"):
        if path.exists():
            os.utime(path, (1, 1))
    with pytest.warns(ClconvWarning, match="a process died"):
        programs.check(SOURCE, [SYMBOL])
    assert not folder.exists()


@pytest.mark.parametrize("what", ["begins", "ends"])
def test_who_begins_or_ends_at_that_moment_is_not_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Nobody who looks meanwhile sees a marker without its lock."""
    folder = tmp_path / "markers"
    folder.mkdir()
    marker, lock = Marker(folder), fcntl.flock
    found: list[bool] = []

    def at_that_moment(file: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        if what == "begins":
            found.append(died_at_work(folder))
        else:
            marker.remove()
        lock(file, how)

    if what == "ends":
        marker.set()
    monkeypatch.setattr(fcntl, "flock", at_that_moment)
    if what == "begins":
        assert not marker.set()
    found.append(died_at_work(folder))
    assert not any(found)
    marker.remove()
    assert not list(folder.iterdir())

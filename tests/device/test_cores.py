"""How many cores are free: what runs at this moment counts, not what ran a minute ago."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clconv.device import cores
from clconv.device.cores import spare_cores, usable_cores


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cores, all of them this process's, on a machine that was busy."""
    monkeypatch.setattr(cores, "usable_cores", lambda: 4)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (3.6, 2.0, 1.0))


@pytest.mark.parametrize(("running", "spare"), [(1, 3), (2, 2), (4, 0), (9, 0), (0, 3)])
def test_what_runs_now_counts(
    four: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: int, spare: int
) -> None:
    """This process has three threads, of which one runs; another has just ended."""
    (tmp_path / "loadavg").write_text(f"3.60 2.00 1.00 {running}/321 4711\n")
    for number, state in enumerate("SRS"):
        (tmp_path / "task" / str(number)).mkdir(parents=True)
        (tmp_path / "task" / str(number) / "stat").write_text(f"{number} (a (R) b) {state} 1 2 3\n")
    (tmp_path / "task" / "ended").mkdir()
    monkeypatch.setattr(cores, "_NOW", tmp_path / "loadavg")
    monkeypatch.setattr(cores, "_OWN", tmp_path / "task")
    assert spare_cores() == spare


@pytest.mark.parametrize("text", ["", "1.0 2.0", "1 2 3 many/9 5"])
def test_else_the_last_minute_does(
    four: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "loadavg").write_text(text)
    for place in (tmp_path / "loadavg", tmp_path / "nothing"):
        monkeypatch.setattr(cores, "_NOW", place)
        assert spare_cores() == 0
    monkeypatch.setattr(os, "getloadavg", lambda: (1.2, 2.0, 1.0))
    assert spare_cores() == 3
    monkeypatch.delattr(os, "getloadavg")  # as on Windows
    assert spare_cores() == 3


@pytest.mark.skipif(not Path("/proc/loadavg").exists(), reason="the system does not tell")
def test_another_process_that_works_is_seen() -> None:
    code = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        found = []
        for _ in range(20):
            found.append(cores._others_running())
            time.sleep(0.01)
        other.kill()
    assert max(filter(None, found), default=0) >= 1
    assert 0 <= spare_cores() < usable_cores()

"""Caches that nobody has filled, interrupts at any moment, and processes that are killed."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clconv.device.info import DeviceInfo
from tests.soak.support import SECONDS, printed, started

pytestmark = pytest.mark.slow
HowMany = Callable[[int, int], int]


def test_eight_threads_find_nothing_in_the_caches(device: DeviceInfo, tmp_path: Path) -> None:
    assert printed(started(tmp_path, "threads", device, 8)) == "right"


def test_eight_processes_fill_the_caches_at_once(device: DeviceInfo, tmp_path: Path) -> None:
    processes = [started(tmp_path, "once", device, 0) for _ in range(8)]
    assert len({printed(process) for process in processes}) == 1


def test_an_interrupt_at_any_moment_leaves_everything_usable(
    device: DeviceInfo, tmp_path: Path, how_many: HowMany
) -> None:
    count = how_many(24, 154)
    said = printed(started(tmp_path, "interrupted", device, count))
    met = int(said.split()[2])
    assert said == f"right after {met} of {count}"
    assert met > count // 2, "most interrupts must meet work"


def test_a_process_killed_at_any_moment_leaves_the_caches_usable(
    device: DeviceInfo, tmp_path: Path, how_many: HowMany
) -> None:
    chance = random.Random(3)
    begin = time.perf_counter()
    right = printed(started(tmp_path / "whole", "once", device, 0))
    length = time.perf_counter() - begin
    killed = 0
    for i in range(how_many(5, 58)):
        process = started(tmp_path / "killed", "once", device, i % 5)
        begin = time.perf_counter()
        try:
            # Half of them while the caches are written, which is the end.
            process.wait(timeout=chance.uniform(0 if i % 2 else 0.5, 1) * length)
        except subprocess.TimeoutExpired:
            process.kill()
        else:  # it ended by itself: the machine is less busy than at first, by as much as was seen now
            length = min(length, time.perf_counter() - begin) / 2
        process.communicate(timeout=SECONDS)
        killed += process.returncode < 0
        if not i % 4:
            again = started(tmp_path / "killed", "once", device, 0)
            assert printed(again, after_kills=True) == right
    assert killed, "no process was still at work"
    for number in range(5):
        printed(started(tmp_path / "killed", "once", device, number), after_kills=True)

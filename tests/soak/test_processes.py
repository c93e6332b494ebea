"""Caches that nobody has filled, interrupts at any moment, and processes that are killed."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clconv.device.info import DeviceInfo
from tests.patience import HANG
from tests.soak.support import printed, started

pytestmark = pytest.mark.slow
HowMany = Callable[[int, int], int]


def test_eight_threads_find_nothing_in_the_caches(device: DeviceInfo, tmp_path: Path) -> None:
    assert printed(started(tmp_path, "threads", device, 8)) == "right"


def test_processes_fill_the_caches_at_once(
    device: DeviceInfo, tmp_path: Path, how_many: HowMany
) -> None:
    processes = [started(tmp_path, "once", device, 0) for _ in range(how_many(4, 8))]
    assert len({printed(process) for process in processes}) == 1


def test_an_interrupt_at_any_moment_leaves_everything_usable(
    device: DeviceInfo, tmp_path: Path, how_many: HowMany
) -> None:
    count = how_many(12, 154)
    assert printed(started(tmp_path, "interrupted", device, count)) == f"right after {count}"


def test_a_process_killed_at_any_moment_leaves_the_caches_usable(
    device: DeviceInfo, tmp_path: Path, how_many: HowMany
) -> None:
    chance = random.Random(3)
    begin = time.perf_counter()
    right = printed(started(tmp_path / "whole", "once", device, 0))
    length = time.perf_counter() - begin
    folder = tmp_path / "killed"
    for i in range(how_many(5, 58)):
        # Half of them while the caches are written, which is the end.
        moment = chance.uniform(0 if i % 2 else 0.5, 1) * length
        while not is_killed(started(folder, "once", device, i % 5), moment):
            moment /= 2
        if not i % 4:
            assert printed(started(folder, "once", device, 0), after_kills=True) == right
    assert printed(started(folder, "each", device, 5), after_kills=True).split()[0] == right


def is_killed(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether a process is killed so long after it began: it may end by itself before."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate(timeout=HANG)
    assert process.returncode in (0, -signal.SIGKILL)
    return process.returncode != 0

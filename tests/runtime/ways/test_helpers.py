"""Helpers do a launch together with its caller, sleep while there is none, and are gone when the process ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from clconv.device.cores import usable_cores
from clconv.device.info import DeviceInfo
from clconv.planning.persistent import is_wanted
from clconv.runtime.ways import alone
from clconv.runtime.ways.faster import Kind
from clconv.runtime.ways.helpers import Helpers
from clconv.session.session import Session
from tests.runtime.support import picture, residual

SIZE = (1, 3, 12, 12)


@pytest.fixture
def several(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Helpers]]:
    """More helpers than cores, of whom all launches that are made now ask for help."""
    if not is_wanted(device) or min(device.compute_units, usable_cores()) < 2:
        pytest.skip(f"{device} has nobody to help")
    made: list[Helpers] = []

    def helpers_for(symbol: str, count: int) -> Helpers:
        made.extend([] if made else [Helpers(symbol, 5)])
        return made[0]

    monkeypatch.setattr(alone, "helpers_for", helpers_for)
    yield made
    for one in made:
        one.end()
        assert not any(thread.is_alive() for thread in one._threads)


def test_more_helpers_than_cores_come_and_go(device: DeviceInfo, several: list[Helpers]) -> None:
    """In a row, and after pauses in which they fall asleep; the items are done once each, whoever comes."""
    session = Session(residual(), device)
    feeds = [{"x": picture(*SIZE, seed=i)} for i in range(3)]
    bound = session.prepare({"x": SIZE})
    bound._ways.faster.settle(Kind.LAUNCH)
    expected = [session.run(given)["result"] for given in feeds]
    bound._ways.faster.settle(Kind.TOGETHER)
    for turn in range(600):
        found = session.run(feeds[turn % 3])["result"]
        np.testing.assert_array_equal(found, expected[turn % 3])
        if turn % 100 == 99:
            time.sleep(2e-3)


def test_who_waits_sleeps(device: DeviceInfo, several: list[Helpers]) -> None:
    session = Session(residual(), device)
    session.prepare({"x": SIZE})._ways.faster.settle(Kind.TOGETHER)
    session.run({"x": picture(*SIZE)})
    asleep = several[0]._numbers
    until = time.monotonic() + 60
    while asleep[1] < len(several[0]) and time.monotonic() < until:
        time.sleep(0.01)
    assert asleep[1] == len(several[0]) == 5
    session.run({"x": picture(*SIZE, seed=1)})


def test_a_run_that_finds_helpers_at_work_or_gone_is_done_alone(
    device: DeviceInfo, several: list[Helpers]
) -> None:
    session = Session(residual(), device)
    bound = session.prepare({"x": SIZE})
    bound._ways.faster._times[Kind.ALONE].append(1e-5)  # one that took long would wait for them
    bound._ways.faster.settle(Kind.TOGETHER)
    feeds = {"x": picture(*SIZE)}
    expected = session.run(feeds)["result"]
    with several[0].lock:
        np.testing.assert_array_equal(session.run(feeds)["result"], expected)
    several[0].end()
    np.testing.assert_array_equal(session.run(feeds)["result"], expected)


_FORKS = """
import os, sys, threading, numpy as np, clconv
from clconv.errors import ForkError
from clconv.runtime.ways.faster import Kind
from tests.runtime.support import picture, residual
from tests.runtime.ways.test_helpers import SIZE

session = clconv.load(residual())
session.prepare({"x": SIZE})._ways.faster.settle(Kind.TOGETHER)
feeds = {"x": picture(*SIZE)}
expected = session.run(feeds)["result"]
child = os.fork()
if child == 0:
    try:
        session.run(feeds)
    except ForkError:
        sys.exit(7)
    sys.exit(1)
assert np.array_equal(session.run(feeds)["result"], expected)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7

def always():
    while True:
        session.run(feeds)

threading.Thread(target=always, daemon=True).start()
print("fine")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forks_and_the_end_find_nobody_in_the_way(device: DeviceInfo) -> None:
    """Also where a thread goes on running the network while the process ends."""
    if not is_wanted(device) or min(device.compute_units, usable_cores()) < 2:
        pytest.skip(f"{device} has nobody to help")
    done = subprocess.run(
        [sys.executable, "-c", _FORKS], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "fine"), done.stderr

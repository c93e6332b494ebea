"""Forks, and the end of the interpreter: no child hangs, no process aborts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clconv.device.info import DeviceInfo
from tests.patience import HANG

_BEGIN = """
import atexit, multiprocessing, os, sys, threading, time, warnings
import numpy as np
import clconv, clconv.runtime.opencl
from clconv.layers import Conv2d, Relu, Sequential

warnings.simplefilter("ignore")  # Python's own, of forks beside threads
device = int(sys.argv[1])
network = Sequential(Conv2d(8, 3, padding=1), Relu()).build((3, 40, 40), batch=None)
x = np.ones((2, 3, 40, 40), np.float32)

def load():
    return clconv.load(network, device)

def run_new(_=None):
    return float(load().run({"input": x})["output"].sum())
"""


def run_script(script: str, device: DeviceInfo) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _BEGIN + script, str(device.index)],
        capture_output=True,
        text=True,
        timeout=HANG,
        cwd=Path(__file__).parents[2],
    )


def assert_prints(script: str, device: DeviceInfo, *lines: str) -> None:
    result = run_script(script, device)
    assert (result.returncode, result.stdout.splitlines()) == (0, [*lines]), result.stderr


def test_a_child_forked_after_opencl_was_used_is_told(device: DeviceInfo) -> None:
    """Everything that would wait for threads which the fork left behind."""
    assert_prints(
        """
session = load()
bound = session.prepare({"input": x.shape})
busy = threading.Thread(target=lambda: [session.run({"input": x}) for _ in range(300)])
busy.start()

def child():
    tried = (
        lambda: session.run({"input": x}),
        lambda: session.prepare({"input": x.shape}),
        lambda: session.output_specs({"input": x.shape}),
        lambda: session.check({"input": x}, print),
        lambda: bound.run({"input": x}),
        clconv.devices,
        load,
        lambda: clconv.load(network, session.device),
    )
    for one in tried:
        try:
            one()
        except clconv.errors.ForkError as error:
            assert "spawn" in str(error) and "forkserver" in str(error)
            assert isinstance(error, clconv.errors.DeviceError)
            print("told", flush=True)

for _ in range(3):
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(100)
    print(process.exitcode, flush=True)
    process.kill()
busy.join()
print(session.run({"input": x})["output"].shape)
""",
        device,
        *(["told"] * 8 + ["0"]) * 3,
        "(2, 8, 40, 40)",
    )


def test_a_pool_of_forks(device: DeviceInfo) -> None:
    """Before OpenCL is used it works; clconv.devices() alone is a use."""
    assert_prints(
        """
fork = multiprocessing.get_context("fork")
with fork.Pool(2) as pool:
    first, second = pool.map(run_new, [0, 1])
assert first == second
clconv.devices()
with fork.Pool(2) as pool:
    try:
        pool.map(run_new, [0, 1])
    except clconv.errors.ForkError:
        print("told")
assert run_new() == first
""",
        device,
        "told",
    )


def test_a_child_that_leaves_a_session_alone_ends_like_any_other(device: DeviceInfo) -> None:
    assert_prints(
        """
session = load()
session.run({"input": x})
if not os.fork():
    if len(sys.argv) > 2:
        del session
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.wait()[1]))
session.run({"input": x})
""",
        device,
        "7",
    )


@pytest.mark.parametrize("threads", [pytest.param(1, marks=pytest.mark.slow), 8])
@pytest.mark.parametrize("work", ["run", "load", "new_sizes"])
def test_the_interpreter_ends_while_daemon_threads_work(
    device: DeviceInfo, work: str, threads: int
) -> None:
    """Quietly, with whatever code the program gives; what the program does at the end still runs."""
    if device.platform.startswith("Intel(R) OpenCL"):
        pytest.skip("Intel's runtime aborts by itself when a thread of its own ends so")
    result = run_script(
        f"""
session = load()
session.run({{"input": x}})
large = np.zeros((900, 3, 40, 40), np.float32)
large_network = Sequential(Conv2d(32, 3), Relu())

def run():
    session.run({{"input": large}})

def load_another(number=iter(range(3, 1000))):
    clconv.load(large_network.build((3, next(number), 20)), device)

def new_sizes(number=iter(range(3, 1000))):
    session.run({{"input": np.ones((next(number), 3, 40, 40), np.float32)}})

def forever():
    while True:
        {{"run": run, "load": load_another, "new_sizes": new_sizes}}[{work!r}]()

for _ in range({threads}):
    threading.Thread(target=forever, daemon=True).start()
atexit.register(lambda: print("ran", session.run({{"input": x}})["output"].shape, flush=True))
time.sleep(0.4)
sys.exit(5)
""",
        device,
    )
    assert (result.returncode, result.stdout) == (5, "ran (2, 8, 40, 40)\n"), result.stderr
    assert not result.stderr

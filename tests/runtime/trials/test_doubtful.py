"""PoCL dies in a process of its own: compiling on a disk that fills, or next to files that nothing shows to be bad."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import ClconvWarning, DeviceError, KernelBuildError
from clconv.layers import Conv2d, Dense, Flatten, MaxPool2d, Relu, Sequential, Sigmoid
from clconv.runtime.opencl import Compiler
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.trials import doubtful as trial
from clconv.session.session import Session

_START = """
import os, resource, sys
import numpy as np
import clconv
from clconv.layers import Conv2d, Relu, Sequential
from clconv.runtime.trials import doubtful as trial
from clconv.store import pocl_programs

{before}
session = clconv.load(Sequential(Conv2d(8, 3), Relu()).build((3, 16, 16)), "portable:")
session.run({{list(session.inputs)[0]: np.ones((1, 3, 16, 16), np.float32)}})
print("right")
"""
_DOUBT = "pocl_programs._PLENTY = 1 << 62"
_LIMIT = """
def ended(*job, ended=trial._ended):
    resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))  # as a full disk or a quota
    return ended(*job)
trial._ended = ended
"""


@pytest.fixture
def pocl(device: DeviceInfo) -> DeviceInfo:
    if "builds-at-first-launch" not in device.quirks:
        pytest.skip("not PoCL")
    return device


def start(folder: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """A process of its own whose cache is a folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    return subprocess.run(
        [sys.executable, "-c", _START.format(before="\n".join(before))],
        env={**os.environ, "POCL_CACHE_DIR": str(folder), "CLCONV_CACHE_DIR": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "size", [20000, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 4096, 50000))]
)
def test_a_disk_that_fills_in_a_compilation_is_an_error(
    pocl: DeviceInfo, tmp_path: Path, size: int
) -> None:
    done = start(tmp_path / "k", _DOUBT, _LIMIT.format(size=size))
    assert done.returncode == 1 and "cannot take 8 MB (File too large)" in done.stderr, done
    assert "DeviceError" in done.stderr.splitlines()[-1]
    again = start(tmp_path / "k")
    assert again.stdout == "right\n" and not again.stderr


def test_no_room_on_any_disk_is_an_error(pocl: DeviceInfo, tmp_path: Path) -> None:
    """Then no folder serves, and PoCL takes its own."""
    everywhere = "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))"
    done = start(tmp_path / "k", everywhere)
    assert done.returncode == 1 and "cannot take 32 MB (File too large)" in done.stderr, done
    assert "DeviceError" in done.stderr.splitlines()[-1]
    again = start(tmp_path / "k")
    assert again.stdout == "right\n" and not again.stderr


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
@pytest.mark.parametrize("begin", [0x200, pytest.param(0x1000, marks=pytest.mark.slow)])
def test_files_that_look_whole_and_kill_are_made_anew(
    pocl: DeviceInfo, tmp_path: Path, begin: int, seed: int
) -> None:
    """Another process is at work, so that they might be its own, and one has died."""
    folder = tmp_path / "k"
    assert start(folder).stdout == "right\n"
    for path in folder.glob("*/*/*/*/*.so"):
        content, chance = bytearray(path.read_bytes()), random.Random(seed)
        content[begin:-0x800] = chance.randbytes(len(content) - begin - 0x800)
        path.write_bytes(content)
    shutil.rmtree(folder / "clconv")
    (folder / "clconv").mkdir(mode=0o700)
    (folder / "clconv" / "at-work-dead").touch()
    with open(folder / "clconv" / "at-work-alive", "wb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        done = start(folder)
        assert done.stdout == "right\n", done.stderr
        assert done.stderr.count("ClconvWarning") == 1 and "a process died of" in done.stderr
    again = start(folder)
    assert again.stdout == "right\n" and not again.stderr


@pytest.fixture
def doubted(pocl: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Every program is in doubt. The exit statuses of the processes that tried."""
    ends: list[int] = []

    def ended(job: Mapping[str, Any], device: DeviceInfo) -> int:
        ends.append(real(job, device))
        return ends[-1]

    real = trial._ended
    monkeypatch.setattr(trial, "_ended", ended)
    stored = PreparedDevice(pocl).device.compiler._stored
    assert stored is not None
    monkeypatch.setattr(type(stored), "is_in_doubt", lambda self: True)
    monkeypatch.setattr(type(stored), "has", lambda self, source, launched: False)
    yield ends


_FILES = """
from pathlib import Path
from clconv.runtime.trials import doubtful as trial
def files():
    return {p for kind in ("so", "bc") for p in Path(os.environ["POCL_CACHE_DIR"]).rglob("*." + kind)}
def try_apart(*arguments, real=trial.try_apart):
    held = real(*arguments)
    files.before = files()
    return held
trial.try_apart = try_apart
import atexit
atexit.register(lambda: print(len(files.before) > 1 and files.before == files()))
"""


@pytest.mark.parametrize("joined", ["1", pytest.param("0", marks=pytest.mark.slow)])
def test_a_trial_leaves_all_files_that_are_needed(
    pocl: DeviceInfo, tmp_path: Path, joined: str
) -> None:
    joining = f"os.environ['CLCONV_ONE_LAUNCH'] = '{joined}'"
    done = start(tmp_path / "k", _DOUBT, joining, _FILES)
    assert done.stdout == "right\nTrue\n", done.stderr


@pytest.mark.parametrize("joined", [pytest.param("1", marks=pytest.mark.slow), "0"])
def test_a_trial_of_other_sizes_and_kernels_ends_well(
    pocl: DeviceInfo, doubted: list[int], joined: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_ONE_LAUNCH", joined)
    layers = Sequential(Conv2d(9, 3), Relu(), MaxPool2d(2), Flatten(), Dense(7), Sigmoid())
    session = Session(layers.build((3, 12, 12), batch=None), pocl)
    session.run({"input": np.zeros((2, 3, 12, 12), np.float32)})
    assert doubted and set(doubted) == {0}


def test_a_death_is_told_and_what_it_left_removed(
    pocl: DeviceInfo, doubted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = Sequential(Conv2d(3, 3), Relu()).build((2, 6, 6))
    deaths = [-11]
    monkeypatch.setattr(Compiler, "discard", lambda self, untried: "")  # others use the folder, too
    monkeypatch.setattr(trial, "_ended", lambda *job: deaths.pop() if deaths else 0)
    with pytest.warns(ClconvWarning, match="died of SIGSEGV"):
        Session(graph, pocl)
    monkeypatch.setattr(trial, "_ended", lambda *job: -6)
    with pytest.raises(KernelBuildError, match=r"ends the process \(SIGABRT\), in a new folder"):
        Session(graph, pocl)
    monkeypatch.setattr(Compiler, "discard", lambda self, untried: "the folder has only 1 MB left")
    with pytest.raises(DeviceError, match=r"only 1 MB left.*died of SIGABRT.*POCL_CACHE_DIR"):
        Session(graph, pocl)


def test_without_an_interpreter_it_is_compiled_here(
    pocl: DeviceInfo, doubted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "")
    Session(Sequential(Conv2d(3, 3), Relu()).build((2, 6, 6)), pocl)
    assert set(doubted) == {0}

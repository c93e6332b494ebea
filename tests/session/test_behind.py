"""What is kept for the next start is written behind the first answer, and waited for by all who need it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.layers import Conv2d, Relu, Sequential
from clconv.session import kept_plans
from clconv.session.behind import Behind

X = np.ones((1, 3, 9, 9), np.float32)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "cache"))
    clconv.save(Sequential(Conv2d(4, 3), Relu()).build((3, 9, 9)), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing is written before this is set."""
    go, write = threading.Event(), kept_plans.write_network

    def waits(*arguments: object, **options: object) -> None:
        assert go.wait(300)
        write(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(kept_plans, "write_network", waits)
    return go


def _kept(model: Path) -> list[Path]:
    return list((model.parent / "cache" / "networks").glob("*.clconv"))


def test_a_load_and_a_run_do_not_wait_and_a_close_does(
    device: DeviceInfo, model: Path, held: threading.Event
) -> None:
    session = clconv.load(model, device)
    session.run(X)
    assert not _kept(model)
    held.set()
    session.close()
    assert len(_kept(model)) == 1


def test_who_loads_it_again_waits(device: DeviceInfo, model: Path, held: threading.Event) -> None:
    first = clconv.load(model, device)
    threading.Timer(0.2, held.set).start()
    second = clconv.load(model, device)
    assert held.is_set() and len(_kept(model)) == 1
    assert np.array_equal(*(next(iter(s.run(X).values())) for s in (first, second)))


def test_what_fails_is_told_and_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise ValueError("no way")

    called = threading.Event()
    work = Behind(fails)
    work.then(called.set)
    work.wait()
    assert called.wait(60) and "no way" in caplog.text


def test_a_forked_process_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    work, other = Behind(go.wait), os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: other)
    work.wait()
    assert not go.is_set()
    monkeypatch.undo()
    go.set()
    work.wait()


def test_the_end_of_the_interpreter_waits(device: DeviceInfo, model: Path) -> None:
    code = (
        "import sys, time, clconv\n"
        "from clconv.session import kept_plans\n"
        "write = kept_plans.write_network\n"
        "def late(*arguments, **options):\n"
        "    time.sleep(1)\n"
        "    write(*arguments, **options)\n"
        "kept_plans.write_network = late\n"
        f"clconv.load({str(model)!r}, {device.index})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode and not done.stderr and len(_kept(model)) == 1

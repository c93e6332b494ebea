"""PoCL's library of built-in functions is read by a thread before it is needed, and once."""

from __future__ import annotations

import threading
from typing import Any

import pyopencl as cl
import pytest

from clconv.device.info import DeviceInfo
from clconv.lowering.model.call import Kernel
from clconv.runtime.opencl import compiler, is_pocl, library
from clconv.runtime.opencl.compiler import Compiler
from clconv.runtime.opencl.found import raw_devices


@pytest.fixture
def fresh(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """The compiler of a context for which PoCL has read nothing."""
    if not is_pocl(device.platform):
        pytest.skip("a library of PoCL's")
    monkeypatch.setattr(library, "_seen", set())
    monkeypatch.setattr(compiler, "usable_cores", lambda: 2)
    monkeypatch.setattr(Compiler, "is_in_doubt", lambda self: False)
    raw = raw_devices()[device.index]
    return Compiler(device, cl.Context([raw]), raw)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """Grows by each thread that reads."""
    found: list[threading.Thread] = []
    start = threading.Thread.start

    def noted(self: threading.Thread) -> None:
        if self.name == "clconv library":
            found.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", noted)
    return found


def test_it_is_read_once_and_programs_are_built_as_ever(
    fresh: Compiler, started: list[threading.Thread]
) -> None:
    fresh.get_ready()
    fresh.get_ready()
    kernel = Kernel.of("address.cl.mako", "address")
    assert kernel in fresh.prepare([kernel])
    fresh.get_ready()
    assert len(started) == 1
    started[0].join()


def test_pocl_refuses_what_has_it_read(fresh: Compiler) -> None:
    """Else it would keep the program, and read nothing the next time."""
    with pytest.raises(cl.RuntimeError):
        cl.Program(fresh.context, library.REFUSED).build([*fresh.options])


@pytest.mark.parametrize("reason", ["one core", "in doubt", "compiled before"])
def test_nothing_is_read_for_nothing(
    reason: str, fresh: Compiler, started: list[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "one core":
        monkeypatch.setattr(compiler, "usable_cores", lambda: 1)
    elif reason == "in doubt":  # then another process compiles first
        monkeypatch.setattr(Compiler, "is_in_doubt", lambda self: True)
    else:
        fresh.prepare([Kernel.of("address.cl.mako", "address")])
    fresh.get_ready()
    assert not started


def test_other_drivers_are_left_alone(
    fresh: Compiler, started: list[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh, "_stored", None)
    fresh.get_ready()
    assert not started


def test_a_device_that_fails_says_nothing_here(
    fresh: Compiler, started: list[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so where it is asked to compile."""

    def refused(*arguments: Any) -> Any:
        raise cl.MemoryError("out of memory")

    monkeypatch.setattr(cl, "Program", refused)
    fresh.get_ready()
    started[0].join()

"""Small networks run in the caller's thread, bit for bit as launches do, and whatever else goes on."""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import platform
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.planning.persistent import ALONE, is_wanted
from clconv.runtime.bound import BoundPlan
from clconv.runtime.opencl import Function, NoFunction, machine_code
from clconv.runtime.ways import called, faster
from clconv.runtime.ways.alone import Alone
from clconv.runtime.ways.faster import Kind
from clconv.session.session import Session
from tests.planning.test_placement import Chain
from tests.runtime.support import in_threads, picture, residual

SIZE = (1, 3, 12, 12)


@pytest.fixture
def waking(device: DeviceInfo) -> DeviceInfo:
    if not is_wanted(device):
        pytest.skip(f"{device} does not wake slowly: all its runs are launches")
    return device


def settled(session: Session, kind: Kind, *shapes: tuple[int, ...]) -> BoundPlan:
    """The plan, which from now on always runs in this way."""
    names = list(session.inputs)
    bound = session.prepare(dict(zip(names, shapes, strict=True)))
    bound._ways.faster.settle(kind)
    return bound


def test_each_bit_is_that_of_a_launch(waking: DeviceInfo) -> None:
    """Also for values so small that a thread could be told to take them for 0, and where it was told to round down."""
    graph = Chain(0, 2).whole(24)
    session = Session(graph, waking)
    shapes = [graph.specs[name].shape for name in graph.inputs]
    feeds = {
        n: picture(*s, seed=i) for i, (n, s) in enumerate(zip(graph.inputs, shapes, strict=True))
    }
    small = {name: array * np.float32(1e-39) for name, array in feeds.items()}
    bound = settled(session, Kind.LAUNCH, *shapes)
    expected = [session.run(given) for given in (feeds, small)]
    settled(session, Kind.ALONE, *shapes)
    with rounding_down():
        found = [session.run(given) for given in (feeds, small)]
    assert bound._ways.faster.is_called
    for own, launched in zip(found, expected, strict=True):
        for name in launched:
            np.testing.assert_array_equal(own[name].view(np.uint32), launched[name].view(np.uint32))


@pytest.fixture(autouse=True)
def usual_rounding() -> Iterator[None]:
    yield
    assert _rounding() in (None, 0)


class rounding_down:
    """Inside, this thread rounds to -infinity, where the C library can be asked; it is seen that it still does at the end."""

    def __enter__(self) -> None:
        if (library := _libm()) is not None:
            library.fesetround(0x400)

    def __exit__(self, *reason: object) -> None:
        if (library := _libm()) is not None:
            found = _rounding()
            library.fesetround(0)
            assert found == 0x400


def _libm() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("m")
    return ctypes.CDLL(name) if name and platform.machine() == "x86_64" else None


def _rounding() -> int | None:
    library = _libm()
    return None if library is None else int(library.fegetround())


def test_threads_errors_and_other_sizes_do_not_disturb_each_other(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, other = Session(residual(), waking), Session(residual(), waking)
    sizes = [SIZE, (2, 3, 9, 7)]
    feeds = [{"x": picture(*size, seed=i)} for i, size in enumerate(sizes)]
    expected = [session.run(given)["result"] for given in feeds]
    for one in (session, other):
        for size in sizes:
            settled(one, Kind.ALONE, size)
    run, failures, lock = Alone.run, iter(range(10**6)), threading.Lock()

    def failing(self: Any) -> None:
        run(self)
        with lock:
            number = next(failures)
        if number % 7 == 3:
            raise RuntimeError("in between")

    monkeypatch.setattr(Alone, "run", failing)
    wrong: list[str] = []

    def work(number: int) -> None:
        for turn in range(60):
            which = (number + turn) % 2
            one = (session, other)[turn % 3 == 0]
            try:
                found = one.run(feeds[which])["result"]
            except RuntimeError:
                continue
            if not np.array_equal(found, expected[which]):
                wrong.append(f"thread {number}, turn {turn}")

    in_threads(4, work)
    assert not wrong and next(failures) > 200


def test_nothing_keeps_a_plan_that_ran_so(waking: DeviceInfo) -> None:
    """And who holds the machine code can call it when all else is gone."""
    session = Session(residual(), waking)
    gone = weakref.ref(settled(session, Kind.ALONE, SIZE))
    session.run({"x": picture(*SIZE)})
    bound = gone()
    assert bound is not None
    alone_way = bound._ways.faster.made[Kind.ALONE]
    assert isinstance(alone_way, Alone)
    function = alone_way._calls[0][0]
    del alone_way
    gc.disable()
    try:
        del bound
        session.close()
        assert gone() is None
    finally:
        gc.enable()
    proof = np.array([0, 0, 5], np.uint64)
    function.call(proof.ctypes.data)
    assert proof[2] == ~np.uint64(5)


def test_what_cannot_be_called_is_launched(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(kernel: str, name: str) -> Function:
        return Function(kernel, "no_such_function")

    monkeypatch.setattr(called, "Function", missing)
    monkeypatch.setattr(
        faster, "_LONG", 1e9
    )  # on no machine are launches too long to look for another way
    monkeypatch.setenv("CLCONV_DEBUG", "2")
    session = Session(residual(), waking)
    found = [session.run({"x": picture(*SIZE)})["result"] for _ in range(4)]
    assert all(np.array_equal(one, found[0]) for one in found)
    assert "has no function no_such_function" in capsys.readouterr().err
    with pytest.raises(NoFunction, match="no_such_kernel"):
        Function("no_such_kernel", "alone")


def test_what_is_loaded_is_what_the_file_holds(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of PoCL's folder may be replaced while they are in use."""
    launch = settled(Session(residual(), waking), Kind.ALONE, SIZE).plan.launches[0]
    symbol = launch.kernel.symbol
    read, name = Path.read_bytes, f"{symbol}_{ALONE}"
    found = machine_code._function(
        read(Path(machine_code._loaded(f"{symbol}.so").path)), name.encode()
    )
    assert found is not None and len(found.code) > 16
    contents = {
        "has changed": lambda content: content.replace(found.code, bytes(len(found.code))),
        "no shared object": lambda content: b"MZ" + content,
        "was loaded again|unpack|requires|out of range": lambda content: content[:100],
    }
    for says, changed in contents.items():
        monkeypatch.setattr(Path, "read_bytes", lambda path, c=changed: c(read(path)))
        with pytest.raises(NoFunction, match=says):
            Function(symbol, name)


def test_all_pages_of_what_is_loaded_are_read(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbol = settled(Session(residual(), waking), Kind.ALONE, SIZE).plan.launches[0].kernel.symbol
    parts = [p for p in machine_code._parts() if p.path.endswith(f"/{symbol}.so")]
    read: set[int] = set()
    monkeypatch.setattr(machine_code.ctypes, "string_at", lambda at, size: read.add(at))
    machine_code.read_once([symbol])
    assert {part.begin for part in parts if part.access.startswith("r")} <= read
    assert all(any(part.begin <= at < part.end for part in parts) for at in read)
    monkeypatch.setattr(machine_code, "_MAPS", Path("/no/such/file"))  # as on other systems
    read.clear()
    machine_code.read_once([symbol])
    assert not read
    with pytest.raises(NoFunction, match="as far as is known"):
        Function(symbol, f"{symbol}_{ALONE}")

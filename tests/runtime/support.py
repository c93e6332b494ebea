"""Small networks with open sizes, and what every session test does with them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.graph.reference import run_reference
from clconv.lowering.model.call import Kernel
from clconv.planning.persistent import is_wanted
from clconv.probes.clock_probe import verified_clock
from clconv.runtime.check import relative_error
from clconv.runtime.clock import DeviceClock
from clconv.session.session import Session
from tests.graph.graph_builder import Builder

SAME = {"pads": (1, 1, 1, 1)}


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Has so many threads work, each with its number, and waits for all."""
    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def patient_clock(device: DeviceInfo) -> DeviceClock | None:
    """The clock that profiles take, if there is one: a busy machine disturbs some of the tries to verify it."""
    for _ in range(20):
        if (clock := verified_clock(device)) is not None or not is_wanted(device):
            return clock
        verified_clock.cache_clear()
    return None


def residual(batch: Any = "n", height: Any = "h", width: Any = "w") -> Graph:
    """Conv, Relu, Conv, plus the first Relu's result, Relu."""
    b = Builder()
    x = b.input(batch, 3, height, width)
    y = b.node("Relu", b.conv(x, 16, 3, 3, **SAME))
    z = b.conv(y, 16, 16, 3, **SAME)
    return b.graph(b.node("Relu", b.node("Add", z, y), out="result"))


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def assert_agrees(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    assert set(found) == set(expected)
    for name, reference in expected.items():
        assert found[name].shape == reference.shape and found[name].dtype == reference.dtype, name
        assert relative_error(found[name], reference) < 2e-5, name


def assert_runs_right(session: Session, graph: Graph, feeds: Mapping[str, np.ndarray]) -> None:
    expected = run_reference(graph, dict(feeds))
    assert_agrees(session.run(feeds), {n: expected[n] for n in graph.outputs})


def int_input(b: Builder, *shape: Any, name: str) -> str:
    b.specs[name] = TensorSpec(shape, DType.INT64)
    return name


@contextlib.contextmanager
def counted(patch: pytest.MonkeyPatch, *places: tuple[Any, str]) -> Iterator[list[str]]:
    """The names of the functions (owner, name) that are called meanwhile; they still do their work."""
    calls: list[str] = []

    def spy(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def record(*args: Any, **more: Any) -> Any:
            calls.append(name)
            return original(*args, **more)

        context.setattr(owner, name, record)

    with patch.context() as context:
        for owner, name in places:
            spy(owner, name)
        yield calls


def session_for(graph: Graph, device: DeviceInfo, **more: Any) -> Session:
    return Session(graph, device, guard=256, **more)


def compiled_beside(patch: pytest.MonkeyPatch) -> list[bool]:
    """Has a core spare for another process that compiles. Grows by how each of its programs ended."""
    from clconv.runtime.opencl import beside

    ended: list[bool] = []
    wait = beside.Beside.wait

    def waited(self: beside.Beside, kernel: Kernel) -> bool:
        ended.extend([wait(self, kernel)] if kernel in self else [])
        return True

    patch.setattr(beside, "spare_processes", lambda: 1)
    patch.setattr(beside.Beside, "wait", waited)
    return ended

"""Many runs, many sizes, many threads: the same bits, and no more memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.reference import run_reference
from clconv.runtime.check import relative_error
from clconv.session.session import Session
from tests.soak.work import assert_right, network, picture

pytestmark = pytest.mark.slow
HowMany = Callable[[int, int], int]
_PAGES = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of memory that the process has; 0 where the system does not say."""
    return int(_PAGES.read_text().split()[1]) * 4096 if _PAGES.exists() else 0


def test_many_runs_give_the_same_bits_and_take_no_memory(
    device: DeviceInfo, how_many: HowMany
) -> None:
    session = Session(network(), device)
    feeds = [{"input": picture(batch)} for batch in (1, 2, 5)]
    expected = [session.run(feed)["output"].tobytes() for feed in feeds]
    count = how_many(1200, 20000)
    for i in range(count):
        if i == count // 3:
            before = resident()
        assert session.run(feeds[i % 3])["output"].tobytes() == expected[i % 3]
    assert resident() - before < 4 << 20


def test_many_sizes_take_no_memory(device: DeviceInfo, how_many: HowMany) -> None:
    graph = network()
    session = Session(graph, device)
    count = how_many(40, 500)
    for i in range(count):
        assert_right(session, graph, i % 251 + 1)
        if i == count // 2:
            before, constants = resident(), session._shared.prepared.constants.nbytes
    assert session._shared.prepared.constants.nbytes <= 2 * constants
    assert resident() - before < 24 << 20


def test_sixteen_threads_on_one_session(device: DeviceInfo, how_many: HowMany) -> None:
    graph = network()
    session = Session(graph, device)
    expected = {b: run_reference(graph, {"input": picture(b)})["output"] for b in range(1, 21)}
    failures: list[BaseException] = []
    start = threading.Barrier(16)

    def work(number: int) -> None:
        try:
            start.wait()
            for i in range(how_many(20, 1000)):
                batch = (number * 7 + i) % 20 + 1
                found = session.run({"input": picture(batch)})["output"]
                assert relative_error(found, expected[batch]) < 2e-5
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]

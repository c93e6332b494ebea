"""Buffers on huge pages: where they begin, how long they live, and that small ones share."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.runtime import pages
from clconv.runtime.constants import DeviceConstants
from clconv.runtime.opencl import open_device, sub_buffer
from clconv.session.session import Session
from tests.runtime.support import assert_runs_right, picture, residual


class Memory:
    """Stands for a large buffer."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


def pool_of(made: list[weakref.ref[Memory]]) -> pages.Pool:
    def allocate(nbytes: int) -> Memory:
        memory = Memory(nbytes)
        made.append(weakref.ref(memory))
        return memory

    return pages.Pool(allocate, lambda whole, offset, nbytes: (offset, nbytes), 128)


def test_memory_begins_at_a_page() -> None:
    for nbytes, page in (
        (1, 4096), (5000, 4096), (pages.PAGE - 1, pages.PAGE), (pages.PAGE, pages.PAGE), (3 * pages.PAGE + 5, pages.PAGE),
    ):  # fmt: skip
        memory = pages.memory(nbytes)
        assert memory.nbytes >= nbytes and not memory.any()
        assert memory.ctypes.data % page == 0
        memory[:] = 7  # all of it is there
    del memory


def test_memory_is_there_without_huge_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages.mmap, "MADV_HUGEPAGE", 12345)  # what the system refuses
    memory = pages.memory(pages.PAGE)
    assert not memory.any()


def test_patience_ends_after_slow_pages() -> None:
    times = iter(np.arange(0, 1000, 0.15).tolist())  # 0.15 s a page
    patience = pages.Patience(lambda: next(times))
    memory = pages.memory(9 * pages.PAGE, patience)
    assert patience.touch(memory) == 0 and patience.touch(memory[:0]) == 0
    assert len(memory) >= 9 * pages.PAGE and not memory.any()
    memory[:] = 7
    used = round(next(times) / 0.15)
    assert used == 2 * 2  # what two pages take is more than a fifth of a second


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say")
def test_small_pages_after_patience_are_there_at_once() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    impatient = pages.Patience()
    impatient._left = 0.0
    before = resident()
    memory = pages.memory(64 * pages.PAGE, impatient)
    assert resident() - before > 60 * pages.PAGE
    assert not memory.any()


def test_memory_is_there_where_the_system_gives_no_pages_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "_POPULATE_WRITE", 12345)
    impatient = pages.Patience()
    impatient._left = 0.0
    assert not pages.memory(3 * pages.PAGE, impatient).any()


def test_patience_lasts_where_pages_are_quick() -> None:
    times = iter(np.arange(0, 1000, 1e-4).tolist())
    patience = pages.Patience(lambda: next(times))
    for _ in range(3):
        assert patience.touch(np.ones(100 * pages.PAGE, np.uint8)) == 100 * pages.PAGE


def test_small_pieces_share_and_do_not_overlap() -> None:
    made: list[weakref.ref[Memory]] = []
    pool = pool_of(made)
    pieces = [pool.take(nbytes) for nbytes in (100, 129, 1, 4096)]
    assert len(made) == 1
    assert [piece.buffer for piece in pieces] == [(0, 100), (128, 129), (384, 1), (512, 4096)]
    large = pool.take(made[0]().nbytes)  # type: ignore[union-attr]
    assert len(made) == 2 and isinstance(large.buffer, Memory)


def test_a_large_buffer_goes_with_its_last_piece() -> None:
    made: list[weakref.ref[Memory]] = []
    pool = pool_of(made)
    half = pages.PAGE + 1
    kept = [pool.take(half) for _ in range(3)]
    assert len(made) == 1
    other = [pool.take(half), pool.take(half)]
    assert len(made) == 2
    del kept[:2]
    gc.collect()
    assert made[0]() is not None
    kept.clear()
    gc.collect()
    assert made[0]() is None and made[1]() is not None
    del other


@pytest.fixture
def paged(device: DeviceInfo) -> DeviceInfo:
    if not pages.are_wanted(device):
        pytest.skip(f"{device} gets no huge pages")
    return device


def test_buffers_keep_what_they_lie_in(paged: DeviceInfo) -> None:
    device = open_device(paged)
    queue = device.queue()
    whole = device.allocate(3 * pages.PAGE)
    part = sub_buffer(whole, pages.PAGE, 4096)
    content = picture(1024)
    queue.write(part, content, wait=True)
    gc.collect()
    found = np.empty_like(content)
    queue.read(found, part, wait=True)
    np.testing.assert_array_equal(found, content)


def test_sessions_that_come_and_go_leave_the_others_right(paged: DeviceInfo) -> None:
    graph = residual()
    feeds = {"x": picture(1, 3, 160, 160)}
    kept = Session(graph, paged)
    for _ in range(5):
        assert_runs_right(Session(graph, paged), graph, feeds)
        gc.collect()
    assert_runs_right(kept, graph, feeds)


def test_addresses_are_those_that_a_kernel_tells(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whole buffers and of parts, where the device computes in memory of ours."""
    if not pages.are_wanted(device):
        pytest.skip("this device has memory of its own")
    opened = open_device(device)
    buffers = [opened.allocate(nbytes) for nbytes in (4, 5000, 3 * pages.PAGE)]
    buffers += [sub_buffer(buffers[2], 3 * 4096, 1000), sub_buffer(buffers[1], 128, 100)]
    at_once = opened.addresses(buffers)
    monkeypatch.setattr("clconv.runtime.opencl.context.host_address", lambda buffer: None)
    assert opened.addresses(buffers).tolist() == at_once.tolist()
    assert (at_once[[3, 4]] - at_once[[2, 1]]).tolist() == [3 * 4096, 128]


@pytest.mark.parametrize("nbytes", [257, 3 << 20, (9 << 20) + 4])
def test_what_lies_in_our_memory_is_told_from_there(device: DeviceInfo, nbytes: int) -> None:
    """Small, shared and large buffers. Without a copy: hundreds of megabytes of weights are written to a file."""
    opened = open_device(device)
    constants = DeviceConstants(opened, opened.queue())
    given = np.random.default_rng(nbytes).integers(0, 256, nbytes, np.uint8)
    before = constants.written(64, lambda target: target.fill(1))
    held = constants.written(nbytes, lambda target: np.copyto(target, given))
    content = constants.content(held)
    assert np.array_equal(content, given) and (constants.content(before) == 1).all()
    assert held.memory is None or np.shares_memory(content, held.memory)

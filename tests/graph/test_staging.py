"""Memory for reading: who gets what is used again, and for how long."""

from __future__ import annotations

import threading

import numpy as np

from clconv.graph import staging
from tests.patience import HANG

LARGE = 2 << 20


def test_blocks_of_a_thread_share_memory() -> None:
    with staging.reused(kept=True):
        first = staging.empty_bytes(LARGE)
        second = staging.empty_bytes(LARGE)  # a constant computed from two others
        small = staging.empty_bytes(100)
    assert not np.shares_memory(first, second)
    with staging.reused(kept=True):
        small = staging.empty_bytes(100)
        again = staging.empty_bytes(LARGE - 5)
        assert len(again) == LARGE - 5 and np.shares_memory(first, again)
    with staging.reused(kept=False):
        larger = staging.empty_bytes(2 * LARGE)
        assert len(larger) == 2 * LARGE and not np.shares_memory(larger, small)
    with staging.reused(kept=False):  # it went with the block before
        assert not np.shares_memory(larger, staging.empty_bytes(LARGE))


def test_nothing_is_shared_outside_of_blocks() -> None:
    with staging.reused(kept=False):
        inside = staging.empty_bytes(LARGE)
    arrays = [inside, *(staging.empty_bytes(LARGE) for _ in range(3))]
    assert not any(np.shares_memory(a, b) for a in arrays for b in arrays if a is not b)


def test_threads_have_their_own() -> None:
    found = []

    def ask() -> None:
        with staging.reused(kept=True):
            found.append(staging.empty_bytes(LARGE))
            barrier.wait(HANG)

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not np.shares_memory(*found)

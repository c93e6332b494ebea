"""Filling buffers in parts, for drivers that fail to fill much at once."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.runtime.opencl import open_device
from clconv.runtime.opencl import queue as module


@pytest.mark.parametrize("nbytes", (1, 4096, 4097, 3 * 4096, 3 * 4096 + 100))
def test_parts_fill_all_and_nothing_more(
    nbytes: int, device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILLED_AT_ONCE", 4096)
    opened = open_device(device)
    queue, buffer = opened.queue(), opened.allocate(nbytes + 64)
    queue.write(buffer, np.full(nbytes + 64, 7, np.uint8), wait=True)
    queue.fill(buffer, 0xA5, nbytes)
    found = np.empty(nbytes + 64, np.uint8)
    queue.read(found, buffer, wait=True)
    assert (found[:nbytes] == 0xA5).all() and (found[nbytes:] == 7).all()


def test_no_part_is_more_than_drivers_can_fill(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NVIDIA's driver fails from 2 GiB on, without taking so much memory."""
    asked: list[int] = []

    class Buffer:
        def get_sub_region(self, begin: int, size: int) -> str:
            assert begin % device.base_alignment == 0
            return f"{begin} {size}"

    def fill(queue: object, part: object, pattern: object, begin: int, size: int) -> None:
        assert part == f"{sum(asked)} {size}" and begin == 0
        asked.append(size)

    monkeypatch.setattr(module.cl, "enqueue_fill_buffer", fill)
    open_device(device).queue().fill(Buffer(), 0, 3699376128)
    assert sum(asked) == 3699376128 and max(asked) < 1 << 31

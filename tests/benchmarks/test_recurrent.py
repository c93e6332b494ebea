"""The benchmark of recurrent networks: all ways give the same numbers, and state on the device is not copied."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.arrays import bench_recurrent as bench


@pytest.mark.parametrize(
    "case", [bench.lstm(16, 8), bench.wave(16), bench.average(8, 8)], ids=lambda case: case.name
)
def test_state_on_the_device_is_not_copied(case: bench.Recurrent) -> None:
    steps = 4
    found = bench.measure(case, steps, rounds=1)
    frame = int(np.prod(case.frame)) * 4
    copied = found["bytes"]
    assert copied["device"] < copied["host"] and copied["in turn"] < copied["host"]
    if len(case.state) == 1:  # frames go to the device, the last state comes back
        last = steps * (copied["device"] - frame)
        assert 0 < last <= 2 * frame
    assert set(found["ms"]) == set(found["cpu_ms"]) == set(bench.WAYS)

"""The processor's clock is believed only where all cores agree with the host's clock."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.planning.persistent import is_wanted
from clconv.probes.clock_probe import disagreement, verified_clock
from clconv.runtime.clock import ClockReading, DeviceClock
from tests.patience import holds_once
from tests.runtime.support import patient_clock


def test_ticks_become_the_hosts_seconds(device: DeviceInfo) -> None:
    clock = patient_clock(device)
    if clock is None:
        pytest.skip(f"{device} joins no launches, or has no clock")
    assert verified_clock(device) is clock

    def attempt() -> None:
        clock.synchronise()
        before = time.perf_counter()
        reading = clock.read()
        after = time.perf_counter()
        seconds = clock.seconds(np.array(reading.ticks))
        assert len(seconds) == 4 * device.compute_units
        assert before - 1e-3 < seconds.min() and seconds.max() < after + 1e-3

    holds_once(attempt)


def test_other_devices_are_not_asked(device: DeviceInfo) -> None:
    calm = dataclasses.replace(device, quirks=device.quirks - {"wakes-slowly"})
    assert not is_wanted(calm) and verified_clock(calm) is None


RATE = 2e9


class Planted(DeviceClock):
    """Two readings a second apart."""

    def __init__(self, rate: float) -> None:
        self._first, self._latest = (ClockReading(t, t, (int(t * rate),)) for t in (0.0, 1.0))


def planted(ticks: Callable[[float], list[float]]) -> list[ClockReading]:
    return [
        ClockReading(t, t + 1e-4, tuple(int(x * RATE) for x in ticks(t))) for t in (0.1, 0.5, 0.9)
    ]


@pytest.mark.parametrize(
    ("ticks", "said"),
    [
        (lambda t: [t + 5e-5, t + 6e-5], ""),
        (lambda t: [t + 5e-5, t + 0.01], "off by"),  # a core of its own mind
        (lambda t: [t - 0.01, t + 5e-5], "off by"),
        (lambda t: [t * t, t * t], "off by"),  # another rate each time
    ],
)
def test_a_clock_that_goes_wrong_is_found(ticks: Callable[[float], list[float]], said: str) -> None:
    found = disagreement(planted(ticks), Planted(RATE))
    assert said in found and bool(said) == bool(found)


@pytest.mark.parametrize("rate", [0.0, -RATE, 100.0])
def test_a_clock_that_stands_or_is_coarse_is_found(rate: float) -> None:
    assert "ticks a second" in disagreement([], Planted(rate))

"""Whether kernels can tell the time: asked once a process, before a profile looks inside joined launches."""

from __future__ import annotations

import functools
import time

import numpy as np

from clconv.debug import say
from clconv.device.info import DeviceInfo
from clconv.errors import ClconvError
from clconv.planning.persistent import is_wanted
from clconv.runtime.clock import ClockReading, DeviceClock

_READINGS = 10
_PAUSE = 4e-3  # seconds between two
_TOLERANCE = 30e-6  # seconds by which a reading may seem to be outside of the launch that made it
_LEAST_RATE = 1e6  # ticks a second: a microsecond must show


@functools.cache
def verified_clock(device: DeviceInfo) -> DeviceClock | None:
    """The clock of a device whose launches can be joined, if all its cores agree with the host's clock; else None."""
    if not is_wanted(device):
        return None
    try:
        clock = DeviceClock(device, groups=4 * device.compute_units)
        readings = [_later(clock) for _ in range(_READINGS)]
        clock.synchronise()
        wrong = disagreement(readings, clock)
    except ClconvError as refused:
        wrong = str(refused)
    if not wrong:
        return clock
    say(1, f"{device}: no time stamps inside joined launches: {wrong}")
    return None


def _later(clock: DeviceClock) -> ClockReading:
    time.sleep(_PAUSE)
    return clock.read()


def disagreement(readings: list[ClockReading], clock: DeviceClock) -> str:
    """Why a clock is not to be trusted; "" if it is. Every group of every launch must have read a time between the
    launch's begin and end."""
    rate = clock.ticks_a_second
    if not rate >= _LEAST_RATE:
        return f"the clock makes {rate:.3g} ticks a second"
    for reading in readings:
        seconds = clock.seconds(np.array(reading.ticks, np.uint64))
        early, late = reading.before - seconds.min(), seconds.max() - reading.after
        if max(early, late) > _TOLERANCE:
            return f"the clock is off by {max(early, late) * 1e6:.0f} µs"
    return ""

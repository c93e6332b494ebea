"""What the cores reach together: multiply-adds a second, and bytes a second read again and again from as many."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyopencl as cl

from clconv.device.info import DeviceInfo
from clconv.diagnosis.peak import measure_peak

_REPEATS = 60
_LONG_ENOUGH = 5e-3  # seconds of a launch, so that starting it does not count
_CACHE = Path("/sys/devices/system/cpu/cpu0/cache")

# A work-item for each core reads its part over and over: what is larger than the cores' own caches comes from beyond.
_READ = """
kernel void read(global const float16* x, global float16* y, long vectors, int rounds) {
  global const float16* part = x + get_global_id(0) * vectors;
  float16 a = 0, b = 0, c = 0, d = 0;
  for (int round = 0; round < rounds; ++round)
    for (long i = 0; i < vectors; i += 4) { a += part[i]; b += part[i + 1]; c += part[i + 2]; d += part[i + 3]; }
  y[get_global_id(0)] = a + b + c + d;
}
"""


def peak_flops(device: DeviceInfo) -> float:
    """float32 operations a second of multiply-adds in registers, by all cores."""
    return measure_peak(device, _REPEATS).flops


def own_caches(device: DeviceInfo) -> int:
    """Bytes of the second-level caches of all cores."""
    text = (_CACHE / "index2" / "size").read_text().strip()
    return int(text.removesuffix("K")) * 1024 * device.compute_units


class Reader:
    """Reads as many bytes as a network has weights, as every run of it does."""

    def __init__(self, device: DeviceInfo) -> None:
        found = (d for p in cl.get_platforms() for d in p.get_devices() if d.name == device.name)
        self._context = cl.Context([next(found)])
        self._queue = cl.CommandQueue(self._context)
        self._kernel = cl.Program(self._context, _READ).build().read
        self._cores = device.compute_units

    def rate(self, nbytes: int) -> float:
        """Bytes a second, the best of several launches."""
        vectors = max(nbytes // (64 * self._cores) // 4, 1) * 4
        total = vectors * 64 * self._cores
        x = cl.Buffer(self._context, cl.mem_flags.READ_ONLY, total)
        y = cl.Buffer(self._context, cl.mem_flags.WRITE_ONLY, 64 * self._cores)
        cl.enqueue_fill_buffer(self._queue, x, np.float32(1), 0, total)
        rounds = 1
        while self._seconds(x, y, vectors, rounds) < _LONG_ENOUGH:
            rounds *= 2
        return rounds * total / min(self._seconds(x, y, vectors, rounds) for _ in range(_REPEATS))

    def _seconds(self, x: cl.Buffer, y: cl.Buffer, vectors: int, rounds: int) -> float:
        self._queue.finish()
        start = time.perf_counter()
        self._kernel(self._queue, (self._cores,), (1,), x, y, np.int64(vectors), np.int32(rounds))
        self._queue.finish()
        return time.perf_counter() - start

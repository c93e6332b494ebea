"""The only folder that imports pyopencl: devices, buffers, programs, launches."""

from __future__ import annotations

import os

# pyopencl keeps binaries; PoCL keeps its own, by source. Twice costs time and disk on every first load.
os.environ.setdefault("PYOPENCL_NO_CACHE", "1")

from clconv.runtime.opencl.context import BUILD_OPTIONS, MAKE_ROOM, Device, open_device
from clconv.runtime.opencl.found import device_infos, library_version
from clconv.runtime.opencl.program import Program
from clconv.runtime.opencl.queue import (
    SCALARS,
    Queue,
    host_memory,
    seconds,
    set_arguments,
    sub_buffer,
    times,
    without_work,
)

__all__ = [
    "BUILD_OPTIONS",
    "MAKE_ROOM",
    "SCALARS",
    "Device",
    "Program",
    "Queue",
    "device_infos",
    "host_memory",
    "library_version",
    "open_device",
    "seconds",
    "set_arguments",
    "sub_buffer",
    "times",
    "without_work",
]

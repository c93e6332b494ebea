"""The only folder that imports pyopencl: devices, buffers, programs, launches."""

from __future__ import annotations

import os

# pyopencl keeps binaries; PoCL keeps its own, by source. Twice costs time and disk on every first load.
os.environ.setdefault("PYOPENCL_NO_CACHE", "1")

import numpy  # noqa: F401 - before, as it has no part in this

from clconv.runtime.opencl.versions import quick_versions

with quick_versions():
    import pyopencl  # noqa: F401

from clconv.runtime.opencl.arrays import DeviceArray
from clconv.runtime.opencl.beside import give_back, taken
from clconv.runtime.opencl.built import BUILD_OPTIONS, POCL_OPTIONS
from clconv.runtime.opencl.builtins import declared
from clconv.runtime.opencl.caller import Place, callers_place
from clconv.runtime.opencl.compiler import MAKE_ROOM, Compiler
from clconv.runtime.opencl.context import Device, open_device
from clconv.runtime.opencl.flights import Flight, wait_for
from clconv.runtime.opencl.foreign import (
    check_access,
    check_events,
    device_array,
    is_behind,
    is_on_device,
)
from clconv.runtime.opencl.found import device_infos, is_pocl, library_version
from clconv.runtime.opencl.helper import SPARE, Helper, Job, compiled_by
from clconv.runtime.opencl.launches import Launch, Launches
from clconv.runtime.opencl.machine_code import Function, NoFunction, is_loaded, part_function
from clconv.runtime.opencl.memory import borrowed, extent_of, host_array, part_of
from clconv.runtime.opencl.program import Program
from clconv.runtime.opencl.queue import (
    SCALARS,
    Queue,
    host_memory,
    seconds,
    set_argument,
    set_arguments,
    sub_buffer,
    times,
    without_work,
)
from clconv.runtime.opencl.reused import Reused

__all__ = [
    "BUILD_OPTIONS",
    "MAKE_ROOM",
    "POCL_OPTIONS",
    "SCALARS",
    "SPARE",
    "Compiler",
    "Device",
    "DeviceArray",
    "Flight",
    "Function",
    "Helper",
    "Job",
    "Launch",
    "Launches",
    "NoFunction",
    "Place",
    "Program",
    "Queue",
    "Reused",
    "borrowed",
    "callers_place",
    "check_access",
    "check_events",
    "compiled_by",
    "declared",
    "device_array",
    "device_infos",
    "extent_of",
    "give_back",
    "host_array",
    "host_memory",
    "is_behind",
    "is_loaded",
    "is_on_device",
    "is_pocl",
    "library_version",
    "open_device",
    "part_function",
    "part_of",
    "seconds",
    "set_argument",
    "set_arguments",
    "sub_buffer",
    "taken",
    "times",
    "wait_for",
    "without_work",
]

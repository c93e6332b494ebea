"""Compiles several programs at a time: PoCL compiles one after another in a process, so others get a process of their own. What
those leave in PoCL's folder is found by the process that computes."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np
import pyopencl as cl

from clconv.device.cores import spare_cores
from clconv.device.info import DeviceInfo
from clconv.lowering.model.call import Kernel
from clconv.planning.persistent import LEAST, idle_arguments, is_part
from clconv.planning.sharing import shared_out
from clconv.runtime.opencl.helper import SPARE, Helper, Job
from clconv.store.pocl_programs import Programs

Key = TypeVar("Key")
_Self = TypeVar("_Self", bound="Others[Any]")

# Lines of a program that takes longer to compile, about a second, than a process to start.
LINES = 3000
_PATIENCE = 20.0  # seconds that a process which nobody has waits for what it is to compile
_BYTES = 4096  # of each buffer

_early: list[Helper] = []  # that nobody has asked for yet, or that are free again
_lock = threading.Lock()


def spare_processes() -> int:
    """How many processes have a core of their own beside this one: where others are at work, one more would only cost."""
    limit = SPARE.get() if sys.executable else 0
    if limit is not None:
        return limit
    with _lock:
        early = sum(helper.is_there for helper in _early)  # there was a core for it
    return max(early, spare_cores())


def start_early(device: DeviceInfo) -> None:
    """Starts a process for the parts of a network that is about to be planned, if there is a core for it and none waits yet.
    It ends by itself when nothing comes."""
    with _lock:
        _early[:] = [helper for helper in _early if helper.is_there]
    if spare_processes() and not _early:
        with contextlib.suppress(OSError):
            _early.append(Helper(device, _PATIENCE))


def taken(device: DeviceInfo) -> Helper:
    """A process that nobody else has, one that was started early if there is one. Raises OSError."""
    with _lock:
        for helper in _early:
            if helper.is_there and helper.is_patient and helper.index == device.index:
                _early.remove(helper)
                return helper
    return Helper(device, _PATIENCE)


def give_back(helper: Helper) -> None:
    """Others may take a process that has answered all."""
    with _lock:
        if helper.is_there:
            _early.append(helper)


@atexit.register
def _end_early() -> None:
    for helper in _early:
        if helper.is_there:
            helper.__exit__()
    _early.clear()


class Others(Generic[Key]):
    """Programs that other processes compile beside this one, by a key of whoever needs them. `with` ends processes that are not
    waited for."""

    def __init__(self, lengths: Mapping[Key, int], processes: int, device: DeviceInfo) -> None:
        """lengths: of all that is to be shared out among so many processes and this one."""
        self._working: list[Helper] = []
        self._jobs: dict[Key, tuple[Helper, int]] = {}
        self._elsewhere: set[Key] = set()
        keys = list(lengths)
        with contextlib.suppress(OSError):  # then more is compiled here
            for places in filter(None, shared_out([*lengths.values()], [0] * (1 + processes))[1:]):
                helper = taken(device)
                self._working.append(helper)
                self._elsewhere.update(keys[place] for place in places)
                for place in places:
                    self._jobs[keys[place]] = helper, self._give(helper, keys[place])

    def _give(self, helper: Helper, key: Key) -> int:
        """Has a process compile one, and returns the number of the job."""
        raise NotImplementedError

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *reason: object) -> None:
        for helper in self._working:
            helper.__exit__()

    def __contains__(self, key: Key) -> bool:
        return key in self._elsewhere

    def __len__(self) -> int:
        return len(self._working)

    def wait(self, key: Key) -> bool:
        """Returns when the program is there: True; or is not going to be: then it is compiled as any other."""
        if key not in self._jobs:
            return True
        helper, number = self._jobs.pop(key)
        return helper.wait(number)


class Beside(Others[Kernel]):
    """Programs of persistent kernels and their parts that are compiled beside those of this process, by the kernel. sources: of
    all that this process needs; stored: where PoCL keeps those that it has compiled. The longest is left to this process, and its
    share of the others."""

    def __init__(
        self,
        sources: Mapping[Kernel, str],
        stored: Programs | None,
        device: DeviceInfo,
    ) -> None:
        spare = spare_processes() if sources else 0
        least = LEAST if any(map(is_part, sources)) else LINES
        long = [k for k, source in sources.items() if source.count("\n") >= least]
        wanted = [] if stored is None else [k for k in long if not _is_there(k, sources[k], stored)]
        self.sources, self._items = sources, device.compute_units
        super().__init__({k: sources[k].count("\n") for k in wanted}, spare, device)

    def _give(self, helper: Helper, kernel: Kernel) -> int:
        idle = idle_arguments(kernel)
        job = Job(self.sources[kernel], kernel.symbol, idle, self._items)
        return helper.give_program(job)


def _is_there(kernel: Kernel, source: str, stored: Programs) -> bool:
    """Whether PoCL has compiled the program before."""
    stored.check(source, [kernel.symbol])
    return stored.has(source, [(kernel.symbol, (1,))])


def launch_idle(kernel: Kernel, compiled: Any, context: Any, device: DeviceInfo) -> None:
    """Has this process make the machine code of a persistent kernel or a part. compiled: the kernel object."""
    zeros = np.zeros(_BYTES, np.uint8)
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    buffer = cl.Buffer(context, flags, hostbuf=zeros)
    values = idle_arguments(kernel)
    compiled.set_args(*(buffer if value is None else np.int32(value) for value in values))
    queue = cl.CommandQueue(context, device=context.devices[0])
    cl.enqueue_nd_range_kernel(queue, compiled, (device.compute_units,), (1,))
    queue.finish()

"""Compiles in a process of its own first what PoCL may die of: its death is then an error, or is made good.

PoCL ends the process where the disk fills while it compiles, where files of its folder are damaged in a way that
nothing shows, and where its compiler fails. All of that is rare, so it is tried only where there is reason for doubt
(Programs.is_in_doubt); the files that the trial leaves are then found by the process that computes.
"""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError, KernelBuildError, warn_once
from clconv.lowering.model.arguments import (
    Addresses,
    FunctionAddress,
    Local,
    Packed,
    Read,
    Scalar,
    State,
    Table,
    Write,
)
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.planning.memory import MemoryPlan
from clconv.planning.persistent import ADDRESS, idle_with_parts, part_call
from clconv.planning.plan import Plan
from clconv.runtime import pages
from clconv.runtime.constants import DeviceConstants, Held
from clconv.runtime.opencl import MAKE_ROOM, SCALARS, Device, trial_process
from clconv.runtime.search_path import search_path

_LIMIT = 900.0  # seconds of a trial
_TRIES = 2


def try_apart(
    plan: Plan, memory: MemoryPlan, device: Device, constants: DeviceConstants
) -> list[Held]:
    """Before a plan's kernels are compiled here: if there is reason for doubt, by another process. Returns the constants
    that were made for it, to be held until the plan has them.

    Raises DeviceError if that process died for want of disk space, KernelBuildError if it died twice without.
    """
    parts = tuple(map(part_call, plan.parts))
    asked = (*parts, *plan.launches, *_address_calls(device.info, plan.launches))
    untried = device.compiler.untried(asked)
    if not untried:
        return []
    weights = {a for call in plan.launches for a in _flat(call) if isinstance(a, Packed)}
    held = {a: constants.get(plan.graph.constants[a.constant], a.packing) for a in weights}
    sizes = {a: one.nbytes for a, one in held.items()}
    job = json.dumps(_Job(plan, memory, device, sizes).job(untried)).encode()
    for attempt in range(_TRIES):
        end = _ended(job)
        if end in (0, trial_process.REFUSED):  # which is told by whoever is refused next
            break
        room = device.compiler.discard(untried)
        # The dynamic linker ends a process by exit code 127.
        name = signal.Signals(-end).name if end < 0 else f"exit code {end}"
        if room:
            raise DeviceError(
                f"{device.info}: {room}, and a process that tried died of {name}: {MAKE_ROOM}"
            )
        if attempt + 1 == _TRIES:
            raise KernelBuildError(
                f"{device.info}: the compiler ends the process ({name}), in a new folder as well; of "
                + ", ".join(k.symbol for kernels in untried.values() for k in kernels)
            )
        warn_once(
            f"{device.info}: a process died of {name} while it compiled or loaded kernels; they are compiled anew",
            about=f"died {device.info}",
        )
    return list(held.values())


def _ended(job: bytes) -> int:
    """The exit status of a process that does a job; 0 if none can be started or it takes too long."""
    if not sys.executable:
        return 0
    text = Path(trial_process.__file__).read_text(encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", text], input=job, capture_output=True, timeout=_LIMIT, check=False
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return done.returncode


def _address_calls(device: DeviceInfo, calls: Sequence[KernelCall]) -> tuple[KernelCall, ...]:
    """The launch that tells addresses, where a call wants some of memory that is not ours."""
    if not pages.are_wanted(device) and any(
        isinstance(a, Addresses) for call in calls for _, a in call.arguments
    ):
        return (KernelCall("", ADDRESS, (), (1,), (1,)),)
    return ()


def _flat(call: KernelCall) -> Iterator[Any]:
    for _, argument in call.arguments:
        yield from argument.arguments if isinstance(argument, Addresses) else (argument,)


class _Job:
    """What a plan launches, as JSON: buffers are numbers, those of constants hold zeros."""

    def __init__(
        self, plan: Plan, memory: MemoryPlan, device: Device, sizes: dict[Packed, int]
    ) -> None:
        self._plan, self._memory, self._device, self._sizes = plan, memory, device, sizes
        self._buffers = list(memory.arenas)
        self._contents: list[tuple[int, str]] = []
        self._constants: dict[Packed, int] = {}

    def job(self, untried: dict[str, tuple[Kernel, ...]]) -> dict[str, Any]:
        """untried: kernels by the source of their program."""
        programs = {k: i for i, kernels in enumerate(untried.values()) for k in kernels}
        launches = [
            (programs[c.kernel], c.kernel.symbol, [self._argument(a) for _, a in c.arguments], c.global_size, c.local_size)
            for c in self._distinct(programs)
        ]  # fmt: skip
        return {
            "path": search_path(),
            "device": self._device.info.index,
            "options": self._device.compiler.options,
            "sources": list(untried),
            "address": (programs.get(ADDRESS), ADDRESS.symbol),
            "launches": launches,
            "buffers": self._buffers,
            "contents": self._contents,
        }

    def _distinct(self, programs: dict[Kernel, int]) -> list[KernelCall]:
        """One launch of each kernel and size: PoCL makes machine code for the number of items, too."""
        calls = (*map(part_call, self._plan.parts), *map(idle_with_parts, self._plan.launches))
        found = {
            (c.kernel, c.local_size, c.global_size): c
            for c in reversed(calls)
            if c.kernel in programs
        }
        return list(reversed(found.values()))

    def _argument(self, argument: Any) -> tuple[Any, ...]:
        match argument:
            case Read(value, offset) | Write(value, offset):
                slot = self._memory.slots[self._plan.lowered.place(value)[0]]
                begin = self._plan.lowered.place(value)[1] + offset
                return ("buffer", slot.arena, slot.offset + begin, slot.nbytes - begin)
            case Packed():
                if argument not in self._constants:
                    self._constants[argument] = self._new(self._sizes[argument])
                return ("buffer", self._constants[argument], 0, self._sizes[argument])
            case Scalar(value, ctype):
                number = SCALARS[ctype](value)
                return ("number", number.dtype.str, number.item())
            case Local(nbytes):
                return ("local", nbytes)
            case Table(array):
                index = self._new(array.nbytes)
                content = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
                self._contents.append((index, content))
                return ("buffer", index, 0, array.nbytes)
            case State(nbytes):
                return ("buffer", self._new(nbytes), 0, nbytes)
            case FunctionAddress():
                return ("number", "<u8", 0)  # which is not called
            case Addresses(arguments):
                return ("words", [self._argument(a) for a in arguments])
        raise AssertionError(argument)

    def _new(self, nbytes: int) -> int:
        self._buffers.append(nbytes)
        return len(self._buffers) - 1

"""Compiles in a process of its own first what PoCL may die of: its death is then an error, or is made good.

PoCL ends the process where the disk fills while it compiles, where files of its folder are damaged in a way that
nothing shows, and where its compiler fails. All of that is rare, so it is tried only where there is reason for doubt
(Programs.is_in_doubt); the files that the trial leaves are then found by the process that computes.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError, KernelBuildError, warn_once
from clconv.lowering.model.arguments import Addresses, Packed
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.planning.memory import MemoryPlan
from clconv.planning.persistent import ADDRESS, idle_with_parts, part_call
from clconv.planning.plan import Plan
from clconv.runtime import pages
from clconv.runtime.constants import DeviceConstants, Held, packed_arguments
from clconv.runtime.opencl import MAKE_ROOM, Device, Helper
from clconv.runtime.trials.job import Launches, places_of

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
    weights = packed_arguments(plan.launches)
    held = {a: constants.get(plan.graph.constants[a.constant], a.packing) for a in weights}
    sizes = {a: one.nbytes for a, one in held.items()}
    job = _job(plan, memory, sizes, untried)
    for attempt in range(_TRIES):
        end = _ended(job, device.info)
        if not end:  # what OpenCL refused is told by whoever is refused next
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


def _ended(job: Mapping[str, Any], device: DeviceInfo) -> int:
    """The exit status of a process that died of a job; 0 if it did not, none can be started or it takes too long."""
    if not sys.executable:
        return 0
    with contextlib.suppress(OSError), Helper(device) as helper:
        helper.answer(helper.give(job), _LIMIT)
        return helper.death
    return 0


def _address_calls(device: DeviceInfo, calls: Sequence[KernelCall]) -> tuple[KernelCall, ...]:
    """The launch that tells addresses, where a call wants some of memory that is not ours."""
    if not pages.are_wanted(device) and any(
        isinstance(a, Addresses) for call in calls for _, a in call.arguments
    ):
        return (KernelCall("", ADDRESS, (), (1,), (1,)),)
    return ()


def _job(
    plan: Plan,
    memory: MemoryPlan,
    sizes: Mapping[Packed, int],
    untried: Mapping[str, tuple[Kernel, ...]],
) -> dict[str, Any]:
    """One launch of each kernel and size that does nothing: PoCL makes machine code for the number of items, too. untried:
    kernels by the source of their program."""
    wanted = {kernel for kernels in untried.values() for kernel in kernels}
    calls = (*map(part_call, plan.parts), *map(idle_with_parts, plan.launches))
    found = {
        (c.kernel, c.local_size, c.global_size): c for c in reversed(calls) if c.kernel in wanted
    }
    launches = Launches(memory.arenas, places_of(plan, memory), sizes)
    return launches.job(list(reversed(found.values())), untried)

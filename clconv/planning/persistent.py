"""Many launches as one persistent launch, for devices that wake slowly. See kernels/joined/persistent.cl.mako."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.lowering.model.arguments import (
    Addresses,
    Argument,
    FunctionAddress,
    Local,
    Scalar,
    State,
    Table,
)
from clconv.lowering.model.call import Kernel, KernelCall, StoredKernel
from clconv.lowering.model.template import is_for_groups

# Looks before a waiting worker sleeps, at least and at most: about a microsecond, and some tens, which it takes to wake an
# idle core. Always as many would keep the cores from those that are waited for where there are more workers than cores.
LOOKS = 2500, 100_000
ADDRESS = Kernel.of("address.cl.mako", "address")  # tells where a buffer begins
CLOCK = Kernel.of("clock.cl.mako", "clock")  # tells what the processor's clock says
ALONE = "alone"  # ends the name of such a kernel's function that does all in one thread
TOGETHER = "together"  # and of the one that is a worker beside those of a launch
LINE = 16  # ints of a cache line: counters that share one would slow each other down
STAMP = 8  # 64-bit words of a cache line
MOST_KERNELS = (
    64  # in one program: its compile time stays bounded, and so does what one change compiles anew
)
LEAST = 1200  # lines of a part: what it saves is more than what another program costs
_MOST_SEGMENTS = 16
_CHUNKS = 16  # that a worker's share is taken in: what is left to balance with at the end

SEVERAL = "several"  # and that of a part's function, which does items of one operation
_TEMPLATE, _PART = "joined/persistent.cl.mako", "joined/part.cl.mako"
_COUNT = "count"
# The struct of that template, for who reads the table of a launch.
_FIELDS = "function part size_0 size_1 size_2 items chunk first_word first_awaited awaited"
OPERATION = np.dtype([(name, np.int32) for name in _FIELDS.split()])


def is_wanted(device: DeviceInfo) -> bool:
    """Whether launches cost this device more than a wait between workers that stay awake."""
    return "wakes-slowly" in device.quirks


def count_of(call: KernelCall) -> tuple[int, int] | None:
    """The position of the argument of a persistent launch that says how many operations it does, and the number. With 0
    in its place the launch does nothing, but has its machine code made. None for other launches."""
    if not is_persistent(call.kernel):
        return None
    place = [name for name, _ in call.arguments].index(_COUNT)
    count = call.arguments[place][1]
    assert isinstance(count, Scalar)
    return place, int(count.value)


def can_join(call: KernelCall) -> bool:
    """Whether a call can be one operation among many: work-items on their own, without local memory. A group that
    works together may be of one item, too, where a line is short."""
    return (
        call.local_size is not None
        and math.prod(call.local_size) == 1
        and len(call.global_size) <= 3
        and math.prod(call.global_size) < 1 << 31
        and not any(isinstance(a, Local) for _, a in call.arguments)
        and not is_for_groups(call.kernel.template)
    )


def groups(calls: Sequence[KernelCall]) -> list[range]:
    """The calls, in order, cut into ranges that can be one launch each; a range of one stays as it is."""
    found: list[range] = []
    kernels: set[Kernel] = set()
    for index, call in enumerate(calls):
        joins = can_join(call) and (call.kernel in kernels or len(kernels) < MOST_KERNELS)
        if found and kernels and joins:
            found[-1] = range(found[-1].start, index + 1)
        else:
            kernels = set()
            found.append(range(index, index + 1))
        if can_join(call):
            kernels.add(call.kernel)
    return found


def persistent_kernel(kernels: Iterable[Kernel], parts: Iterable[Iterable[Kernel]] = ()) -> Kernel:
    """The kernel that can run all of these, in any order. parts: more of them, in programs of their own."""
    made = tuple(Kernel.of(_PART, "part", kernels=_ordered(part)) for part in parts)
    more: dict[str, Any] = {"parts": made} if made else {}
    return Kernel.of(_TEMPLATE, "persistent", kernels=_ordered(kernels), **more)


def _ordered(kernels: Iterable[Kernel]) -> tuple[Kernel, ...]:
    return tuple(sorted(set(kernels), key=lambda kernel: kernel.symbol))


def is_persistent(kernel: Kernel) -> bool:
    return kernel.template == _TEMPLATE


def is_part(kernel: Kernel) -> bool:
    """Whether it has functions for a persistent kernel, and does nothing itself."""
    return kernel.template == _PART


def parts_of(kernel: Kernel) -> tuple[Kernel, ...]:
    """The parts of a persistent kernel that are programs of their own; none of a stored one, whose plan knows them."""
    return dict(kernel.parameters).get("parts", ())  # type: ignore[return-value]


def part_call(part: Kernel) -> KernelCall:
    """The launch that has the machine code of a part made and loaded."""
    return KernelCall("", part, (("call", State(64)), (_COUNT, Scalar(0, "int"))), (1,), (1,))


def kernels_of(kernel: Kernel) -> tuple[Kernel, ...]:
    """The kernels that a persistent one runs, its parts among it, any other only itself."""
    if not is_persistent(kernel):
        return (kernel,)
    return (*_own(kernel), *itertools.chain.from_iterable(map(_own, parts_of(kernel))))


def _own(kernel: Kernel) -> tuple[Kernel, ...]:
    return dict(kernel.parameters)["kernels"]  # type: ignore[return-value]


def pieces_of(kernel: Kernel) -> int:
    """How many kernels there are to compile."""
    if isinstance(kernel, StoredKernel):
        return kernel.pieces
    return len(_own(kernel)) if is_persistent(kernel) or is_part(kernel) else 1


def persistent_call(
    calls: Sequence[KernelCall],
    awaited: Sequence[Sequence[int]],
    device: DeviceInfo,
    compiled: Iterable[Kernel] = (),
    others: Iterable[KernelCall] = (),
    parts: int | None = None,
) -> KernelCall:
    """One launch that does what these calls do.

    awaited: for each call, which of them must be over before. compiled: kernels that are at hand; the first
    persistent one that has all that is needed serves, so that another input size compiles nothing. others: calls of
    other sizes; the kernels of those that can be joined are compiled along with these if none of those serves.
    parts: into how many programs the kernels are to go, None for as many as pay.
    """
    wanted = {call.kernel for call in calls}
    serving = (k for k in compiled if is_persistent(k) and wanted <= set(kernels_of(k)))
    kernel = next(serving, None)
    if kernel is None:
        from clconv.planning.parts import cut  # only now: what is kept has been planned

        joining = [call.kernel for call in others if can_join(call)]
        kernel = persistent_kernel(*cut(_ordered([*wanted, *joining]), device, parts))
    number = {k: (i, -1) for i, k in enumerate(_own(kernel))}
    for place, part in enumerate(parts_of(kernel)):
        number |= {k: (i, place) for i, k in enumerate(_own(part))}
    workers = device.compute_units
    operations = np.zeros(len(calls), OPERATION)
    words: list[Argument] = [FunctionAddress(part) for part in parts_of(kernel)]
    first_awaited = [0, *itertools.accumulate(map(len, awaited))]
    for i, call in enumerate(calls):
        items = math.prod(call.global_size)
        function, part_of = number[call.kernel]
        operations[i] = (
            function,
            part_of,
            *call.global_size,
            *(1,) * (3 - len(call.global_size)),
            items,
            max(1, items // (workers * _CHUNKS)),
            len(words),
            first_awaited[i],
            len(awaited[i]),
        )
        words.extend(argument for _, argument in call.arguments)
    segments = min(workers, _MOST_SEGMENTS)
    return KernelCall(
        f"{calls[0].node} ... {calls[-1].node}",
        kernel,
        (
            ("operations", Table(operations.view(np.int32))),
            (_COUNT, Scalar(len(calls), "int")),
            ("words", Addresses(tuple(words))),
            ("awaited", Table(np.array([*itertools.chain(*awaited), 0], np.int32))),
            ("counters", State(((segments + 1) * len(calls) + 1) * LINE * 4)),
            ("segments", Scalar(segments, "int")),
        ),
        (workers,),
        (1,),
    )


def idle_with_parts(call: KernelCall) -> KernelCall:
    """A launch that calls functions of parts as one that does nothing, for where those are not loaded; any other as it is."""
    if not parts_of(call.kernel):
        return call
    return call.replacing(call.global_size, **{_COUNT: Scalar(0, "int")})


def idle_arguments(kernel: Kernel) -> tuple[int | None, ...]:
    """Arguments with which a persistent kernel or a part does nothing, but has its machine code made. None: any buffer of
    zeros."""
    if is_part(kernel):
        return (None, 0)
    stamps = (None,) if dict(kernel.parameters).get("stamped") else ()
    return (None, 0, None, None, None, 1, *stamps)


def calls_in(launch: KernelCall) -> int:
    """How many calls of its plan a launch does."""
    found = count_of(launch)
    return 1 if found is None else found[1]


def stamped(launch: KernelCall) -> KernelCall:
    """A persistent launch that writes down when each worker began and ended each operation, into `stamps`. Another
    program: what runs without a profile is not burdened."""
    kernel = Kernel.of(_TEMPLATE, "stamped", **dict(launch.kernel.parameters), stamped=True)
    nbytes = calls_in(launch) * math.prod(launch.global_size) * STAMP * 8
    arguments = (*launch.arguments, ("stamps", State(nbytes)))
    return dataclasses.replace(launch, kernel=kernel, arguments=arguments)

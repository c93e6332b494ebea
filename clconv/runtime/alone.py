"""Runs a plan's launches in the thread that asks for them, where that is faster than to wake the device's threads."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clconv.debug import say
from clconv.lowering.model.call import KernelCall
from clconv.planning.persistent import ALONE, is_persistent, is_wanted
from clconv.runtime.opencl import Device, Function, NoFunction, Queue, host_memory

_LEAST, _TRIES = 2, 3  # runs before another way is tried, and of each way that count
_LONG = 1e-3  # seconds of a run for which threads are always worth waking
_LONG_ONES = 20  # that show it: each may have waited for a core that others had
_MUCH = 3  # times as long: no further try
_AGAIN = 5000  # runs, after which both ways are tried again: others may have had the cores
_PROOF = 0x5A17C0DE0BADF00D


class Alone:
    """Persistent launches as calls of their machine code. Raises NoFunction where they are none, or cannot be called.

    arguments: of each launch, as they were set for it; they are kept.
    """

    def __init__(
        self, device: Device, launches: Sequence[KernelCall], arguments: Sequence[Sequence[Any]]
    ) -> None:
        if not is_wanted(device.info) or not device.info.is_cpu:
            raise NoFunction("the device's machine code is not known to be the host's")
        self._calls = [self._call(*one) for one in zip(launches, arguments, strict=True)]

    def _call(
        self, launch: KernelCall, arguments: Sequence[Any]
    ) -> tuple[Function, int, tuple[np.ndarray, ...]]:
        if not is_persistent(launch.kernel):
            raise NoFunction(f"{launch.node} is a launch of its own")
        symbol = launch.kernel.symbol
        function = Function(symbol, f"{symbol}_{ALONE}")
        proof = np.array([0, 0, _PROOF], np.uint64)
        function.call(proof.ctypes.data)
        if proof[2] != ~np.uint64(_PROOF):
            raise NoFunction(f"{symbol} does not do what it should")
        by_name = dict(zip((name for name, _ in launch.arguments), arguments, strict=True))
        operations, words = host_memory(by_name["operations"]), host_memory(by_name["words"])
        if operations is None or words is None:
            raise NoFunction("its tables have memory of their own")
        call = [operations.ctypes.data, int(by_name["count"]), words.ctypes.data]
        table = np.array(call, np.uint64)
        return function, table.ctypes.data, (table, operations, words)

    def run(self) -> None:
        """What the launches do; it is over when this returns."""
        for function, place, _ in self._calls:
            function.call(place)


class Faster:
    """Takes the faster of two ways to run a plan, both of which are timed in the first runs. For one thread at a time."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._alone: Alone | None = None
        self._begin()

    def _begin(self) -> None:
        self._times: tuple[list[float], list[float]] = ([], [])
        self._left = _AGAIN
        self.is_alone: bool | None = None  # None: not known yet

    def settle(self, is_alone: bool, alone: Alone | None = None) -> None:
        """From now on each run is done in this way."""
        self._alone, self.is_alone, self._left = alone or self._alone, is_alone, sys.maxsize

    def run(self, launch: Callable[[], None], make_alone: Callable[[], Alone]) -> None:
        """launch: gives the launches to the device and waits. make_alone: the other way; raises NoFunction if there is
        none."""
        alone = self.next_alone()
        if self.is_alone is None:
            self._timed(launch, make_alone)
        elif alone is not None:
            alone.run()
        else:
            launch()

    def next_alone(self) -> Alone | None:
        """What the next run, which counts as done with this, is done by, if it is known not to be a launch."""
        self._left -= 1
        if self._left < 0:
            self._begin()
        return self._alone if self.is_alone else None

    def _timed(self, launch: Callable[[], None], make_alone: Callable[[], Alone]) -> None:
        launched, alone = self._times
        is_turn = len(launched) >= _LEAST and len(launched) > len(alone) and min(launched) <= _LONG
        if is_turn and self._alone is None:
            try:
                self._alone = make_alone()
            except NoFunction as reason:
                say(2, f"every run is a launch: {reason}")
                self.settle(False)
                is_turn = False
        begin = self._clock()
        if is_turn and self._alone is not None:
            self._alone.run()
            alone.append(self._clock() - begin)
        else:
            launch()
            launched.append(self._clock() - begin)
        self._choose()

    def _choose(self) -> None:
        launched, alone = self._times
        if len(launched) < _LEAST or self.is_alone is not None:
            return
        is_long = min(launched) > _LONG and len(launched) >= _LONG_ONES
        if is_long or (alone and min(alone) > _MUCH * max(launched)):
            self.is_alone = False
        elif len(alone) == _TRIES:
            self.is_alone = _middle(alone) < _middle(launched)


def _middle(times: Sequence[float]) -> float:
    return sorted(times)[len(times) // 2]


class Ways:
    """How a plan's launches are done at each run: by the queue, or alone. For one thread at a time.

    ready: each launch with its sizes, and the arguments that were set for it. waits: whether what is enqueued is over after
    them; more follows where not. guarded: whether all goes by the queue for another reason.
    """

    def __init__(
        self,
        device: Device,
        queue: Queue,
        launches: Sequence[KernelCall],
        ready: Sequence[tuple[Any, Sequence[Any]]],
        waits: bool,
        guarded: bool,
    ) -> None:
        self._device, self._queue, self._calls = device, queue, launches
        self._launches, self._arguments = [one for one, _ in ready], [a for _, a in ready]
        self._waits = waits
        self.faster = Faster()
        # The host cannot overtake what others enqueued.
        if guarded or not waits or queue.is_callers:
            self.faster.settle(False)

    def compute(self) -> None:
        """Does them; where nothing more follows they are over when this returns."""
        self.faster.run(self.launch, self.make_alone)

    def launch(self) -> None:
        self._queue.run(self._launches, waits=self._waits)

    def make_alone(self) -> Alone:
        """Raises NoFunction."""
        return Alone(self._device, self._calls, self._arguments)

"""Which of the ways to do a plan's launches is the fastest: both are timed in the first runs."""

from __future__ import annotations

import enum
import functools
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from clconv.debug import say
from clconv.lowering.model.call import KernelCall
from clconv.runtime.opencl import Device, NoFunction, Queue
from clconv.runtime.ways.alone import Alone

_LEAST, _TRIES = 2, 3  # runs before the other way is tried, and of this way that count
_LONG = 1e-3  # seconds of a run for which threads are always worth waking
_LONG_ONES = 20  # that show it: each may have waited for a core that others had
_MUCH = 3  # times as long: no further try
_AGAIN = 5000  # runs, after which both ways are tried again: others may have had the cores


class Way(Protocol):
    """Does a plan's launches."""

    def run(self) -> None:
        """It is over when this returns."""
        ...


class Kind(enum.Enum):
    LAUNCH = "launches"
    ALONE = "in one thread"


class Faster:
    """Takes the faster of the ways to run a plan, which are timed in the first runs. For one thread at a time.

    make: the other way besides launches, when it is first tried; raises NoFunction where there is none.
    """

    def __init__(
        self, make: Callable[[], Way], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._make, self._clock = make, clock
        self.alone: Way | None = None  # None: not made, or not to be had
        self._is_open = True  # whether it may be tried, as far as is known
        self._begin()

    def _begin(self) -> None:
        self._times: dict[Kind, list[float]] = {kind: [] for kind in Kind}
        self._left = _AGAIN
        self.kind: Kind | None = None  # None: not known yet
        self.way: Way | None = None  # what does the next run, if it is known not to be a launch

    def settle(self, kind: Kind) -> None:
        """From now on each run is done in this way. Raises NoFunction."""
        if kind is Kind.ALONE and self._made() is None:
            raise NoFunction(f"no run is done {kind.value}")
        self._choose(kind)
        self._left = sys.maxsize

    @property
    def is_called(self) -> bool:
        """Whether the next run is known not to be a launch."""
        return self.way is not None

    def run(self, launch: Callable[[], None]) -> None:
        """launch: gives the launches to the device and waits."""
        way = self.next_way()
        if way is not None:
            way.run()
        elif self.kind is None:
            self._timed(launch)
        else:
            launch()

    def next_way(self) -> Way | None:
        """What the next run, which counts as done with this, is done by, if it is known not to be a launch."""
        self._left -= 1
        if self._left < 0:
            self._begin()
        return self.way

    def _timed(self, launch: Callable[[], None]) -> None:
        way = self._made() if self._is_turn_of_alone() else None
        begin = self._clock()
        if way is None:
            launch()
        else:
            way.run()
        kind = Kind.LAUNCH if way is None else Kind.ALONE
        self._times[kind].append(self._clock() - begin)
        self._consider()

    def _made(self) -> Way | None:
        if self.alone is None and self._is_open:
            try:
                self.alone = self._make()
            except NoFunction as reason:
                say(2, f"no run is done {Kind.ALONE.value}: {reason}")
                self._is_open = False
        return self.alone

    def _is_turn_of_alone(self) -> bool:
        launched, alone = self._times.values()
        return len(launched) >= max(_LEAST, len(alone) + 1) and min(launched) <= _LONG

    def _consider(self) -> None:
        """Chooses once enough is known."""
        launched, alone = self._times.values()
        if len(launched) < _LEAST:
            return
        is_long = min(launched) > _LONG and len(launched) >= _LONG_ONES
        if not self._is_open or is_long or (alone and min(alone) > _MUCH * max(launched)):
            self._choose(Kind.LAUNCH)
        elif len(alone) == _TRIES:
            self._choose(Kind.ALONE if _middle(alone) < _middle(launched) else Kind.LAUNCH)

    def _choose(self, kind: Kind) -> None:
        self.kind, self.way = kind, self.alone if kind is Kind.ALONE else None


def _middle(times: Sequence[float]) -> float:
    return sorted(times)[len(times) // 2]


class Ways:
    """How a plan's launches are done at each run. For one thread at a time.

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
        self._queue, self._waits = queue, waits
        self._launches = queue.ready(one for one, _ in ready)
        # Made by what knows nothing of who asks: a cycle would keep a plan that nobody has any more.
        arguments = [arguments for _, arguments in ready]
        self.faster = Faster(functools.partial(Alone, device, launches, arguments))
        # The host cannot overtake what others enqueued.
        if guarded or not waits or queue.is_callers:
            self.faster.settle(Kind.LAUNCH)

    def compute(self) -> None:
        """Does them; where nothing more follows they are over when this returns."""
        self.faster.run(self.launch)

    def launch(self) -> None:
        self._queue.run(self._launches, waits=self._waits)

"""Which of the ways to do a plan's launches is the fastest: they are timed in the first runs."""

from __future__ import annotations

import enum
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from clconv.debug import say
from clconv.lowering.model.call import KernelCall
from clconv.runtime.opencl import Device, NoFunction, Queue
from clconv.runtime.ways.alone import Alone, Called, Together

_LEAST, _TRIES = 2, 3  # runs before another way is tried, and of each way that count
_IN_A_ROW = 5  # runs together with helpers: one that was asleep does not show how it goes on
_SHORT = 4e-6  # seconds of a run that helpers would only disturb
_LONG = 1e-3  # seconds of a run for which threads are always worth waking
_LONG_ONES = 20  # that show it: each may have waited for a core that others had
_MUCH = 3  # times as long: no further try
_AGAIN = 5000  # runs, after which all ways are tried again: others may have had the cores


class Way(Protocol):
    """Does a plan's launches."""

    def run(self) -> None:
        """It is over when this returns."""
        ...


class Kind(enum.Enum):
    LAUNCH = "launches"
    ALONE = "in one thread"
    TOGETHER = "together with helpers"


class Faster:
    """Takes the fastest of the ways to run a plan, which are timed in the first runs. For one thread at a time.

    make: the other ways besides launches, when they are first tried, told whether one thread is known to be quick; raises
    NoFunction where there is none.
    """

    def __init__(
        self, make: Callable[[Kind, bool], Way], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._make, self._clock = make, clock
        self._ways: dict[Kind, Way | None] = {}
        self._begin()

    def _begin(self) -> None:
        self._times: dict[Kind, list[float]] = {kind: [] for kind in Kind}
        self._left = _AGAIN
        self.kind: Kind | None = None  # None: not known yet
        self._way: Way | None = None

    def settle(self, kind: Kind) -> None:
        """From now on each run is done in this way. Raises NoFunction."""
        self._choose(kind)
        if kind is not Kind.LAUNCH and self._way is None:
            raise NoFunction(f"no run is done {kind.value}")
        self._left = sys.maxsize

    @property
    def is_called(self) -> bool:
        """Whether the next run is known not to be a launch."""
        return self._way is not None

    @property
    def _is_alone_quick(self) -> bool:
        """Whether one thread is known to take so little time that waiting for others may take longer."""
        alone = self._times[Kind.ALONE]
        return bool(alone) and _middle(alone) < _LONG

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
        return self._way

    def _timed(self, launch: Callable[[], None]) -> None:
        kind = self._next_kind()
        way = self._made(kind)
        begin = self._clock()
        if way is None:
            kind = Kind.LAUNCH
            launch()
        else:
            way.run()
        self._times[kind].append(self._clock() - begin)
        self._consider()

    def _made(self, kind: Kind) -> Way | None:
        if kind is not Kind.LAUNCH and kind not in self._ways:
            try:
                self._ways[kind] = self._make(kind, self._is_alone_quick)
            except NoFunction as reason:
                say(2, f"no run is done {kind.value}: {reason}")
                self._ways[kind] = None
        return self._ways.get(kind)

    def _is_open(self, kind: Kind) -> bool:
        """Whether it may be tried, as far as is known."""
        return kind not in self._ways or self._ways[kind] is not None

    def _next_kind(self) -> Kind:
        launched, alone = self._times[Kind.LAUNCH], self._times[Kind.ALONE]
        if len(launched) < _LEAST or not self._is_open(Kind.ALONE):
            return Kind.LAUNCH
        if min(launched) > _LONG:
            return Kind.LAUNCH
        if self._is_alone_known():
            return Kind.TOGETHER
        return Kind.ALONE if len(launched) > len(alone) else Kind.LAUNCH

    def _is_alone_known(self) -> bool:
        launched, alone = self._times[Kind.LAUNCH], self._times[Kind.ALONE]
        return len(alone) == _TRIES or (bool(alone) and min(alone) > _MUCH * max(launched))

    def _consider(self) -> None:
        """Chooses once enough is known."""
        launched, alone = self._times[Kind.LAUNCH], self._times[Kind.ALONE]
        if len(launched) < _LEAST:
            return
        if min(launched) > _LONG and len(launched) < _LONG_ONES and self._is_open(Kind.ALONE):
            return
        if min(launched) <= _LONG and self._is_open(Kind.ALONE):
            if not self._is_alone_known():
                return
            waits = len(self._times[Kind.TOGETHER]) < _IN_A_ROW
            if _middle(alone) >= _SHORT and waits and self._is_open(Kind.TOGETHER):
                return
        tried = [kind for kind in Kind if self._times[kind]]
        self._choose(min(tried, key=lambda kind: _middle(self._times[kind])))

    def _choose(self, kind: Kind) -> None:
        self.kind, self._way = kind, self._made(kind)


def _middle(times: Sequence[float]) -> float:
    return sorted(times)[len(times) // 2]


class Others:
    """Makes the ways besides launches. It knows nothing of who asks: a cycle would keep a plan that nobody has any more.

    arguments: of each launch, as they were set for it.
    """

    def __init__(
        self, device: Device, launches: Sequence[KernelCall], arguments: Sequence[Sequence[Any]]
    ) -> None:
        self._device, self._launches, self._arguments = device, launches, arguments
        self.alone: Alone | None = None

    def made(self, kind: Kind, is_alone_quick: bool) -> Way:
        """is_alone_quick: whether one thread takes so little time that waiting for others may take longer. Raises
        NoFunction."""
        called = Called(self._device, self._launches, self._arguments)
        if self.alone is None:
            self.alone = Alone(called)
        if kind is Kind.ALONE:
            return self.alone
        return Together(called, self.alone, waits=not is_alone_quick)


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
        self._launches = [one for one, _ in ready]
        self.others = Others(device, launches, [arguments for _, arguments in ready])
        self.faster = Faster(self.others.made)
        # The host cannot overtake what others enqueued.
        if guarded or not waits or queue.is_callers:
            self.faster.settle(Kind.LAUNCH)

    def compute(self) -> None:
        """Does them; where nothing more follows they are over when this returns."""
        self.faster.run(self.launch)

    def launch(self) -> None:
        self._queue.run(self._launches, waits=self._waits)

"""Which of the ways to do a plan's launches is the fastest: both are timed in the first runs."""

from __future__ import annotations

import enum
import functools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from clconv.debug import say
from clconv.lowering.model.call import KernelCall
from clconv.runtime.opencl import Device, NoFunction, Queue
from clconv.runtime.ways.alone import Alone
from clconv.runtime.ways.together import Together

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
    TOGETHER = "launches and this thread"
    ALONE = "in one thread"


class Faster:
    """Takes the faster of the ways to run a plan, which are timed in the first runs. For one thread at a time.

    makes: the ways besides launches, made when they are first tried, each of which raises NoFunction where there is none. Where the
    thread that asks can be one of a launch's workers, that is how launches are done: it saves the time to wake two threads.
    """

    def __init__(
        self,
        makes: Mapping[Kind, Callable[[], Way]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._makes, self._clock = dict(makes), clock  # those that were not tried
        self.made: dict[Kind, Way] = {}
        self._begin()

    def _begin(self) -> None:
        self._launched: list[float] = []
        self._alone: list[float] = []
        self._left = _AGAIN
        self.kind: Kind | None = None  # None: not known yet
        # What does the next run, if it is known not to be a launch alone.
        self.way: Way | None = None

    def settle(self, kind: Kind) -> None:
        """From now on each run is done in this way. Raises NoFunction."""
        self._take(kind)
        if kind is not self.kind:
            raise NoFunction(f"no run is done {kind.value}")
        self._left = sys.maxsize

    @property
    def is_called(self) -> bool:
        """Whether the next run is known not to be a launch alone."""
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
        """What the next run, which counts as done with this, is done by, if it is known not to be a launch alone."""
        self._left -= 1
        if self._left < 0:
            self._begin()
        return self.way

    def _timed(self, launch: Callable[[], None]) -> None:
        alone = self._made(Kind.ALONE) if self._is_turn_of_alone() else None
        # The first run's answer does not wait for a look at the machine code.
        together = self._made(Kind.TOGETHER) if self._launched and alone is None else None
        way = alone or together
        begin = self._clock()
        if way is None:
            launch()
        else:
            way.run()
        times = self._launched if alone is None else self._alone
        times.append(self._clock() - begin)
        self._consider()

    def _made(self, kind: Kind) -> Way | None:
        make = self._makes.pop(kind, None)
        if make is not None:
            try:
                self.made[kind] = make()
            except NoFunction as reason:
                say(2, f"no run is done {kind.value}: {reason}")
        return self.made.get(kind)

    def _is_turn_of_alone(self) -> bool:
        launched = self._launched
        return len(launched) >= max(_LEAST, len(self._alone) + 1) and min(launched) <= _LONG

    def _consider(self) -> None:
        """Chooses once enough is known."""
        launched, alone = self._launched, self._alone
        if len(launched) < _LEAST:
            return
        is_open = Kind.ALONE in self._makes or Kind.ALONE in self.made
        is_long = min(launched) > _LONG and len(launched) >= _LONG_ONES
        if not is_open or is_long or (alone and min(alone) > _MUCH * max(launched)):
            self._take(Kind.TOGETHER)
        elif len(alone) == _TRIES:
            self._take(Kind.ALONE if _middle(alone) < _middle(launched) else Kind.TOGETHER)

    def _take(self, kind: Kind) -> None:
        """Takes this way, or launches where there is none of its kind."""
        self.way = None if kind is Kind.LAUNCH else self._made(kind)
        self.kind = Kind.LAUNCH if self.way is None else kind


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
        alone = functools.partial(Alone, device, launches, arguments)
        together = functools.partial(Together, device, queue, launches, ready)
        self.faster = Faster({Kind.ALONE: alone, Kind.TOGETHER: together})
        # The host cannot overtake what others enqueued.
        if guarded or not waits or queue.is_callers:
            self.faster.settle(Kind.LAUNCH)

    def compute(self) -> None:
        """Does them; where nothing more follows they are over when this returns."""
        self.faster.run(self.launch)

    def launch(self) -> None:
        self._queue.run(self._launches, waits=self._waits)

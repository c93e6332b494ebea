"""The work queue of kernels/joined/persistent.cl.mako as a discrete-event simulation. Pure: no device, no clock.

Workers do what the kernel says, step by step: look at a counter, take a chunk of work-items, wait for the operations
that the first of them needs, compute, take the next. What the steps cost are parameters; how long an item of each
operation takes is measured.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Generator, Sequence


@dataclasses.dataclass(frozen=True)
class Operation:
    """items are taken `chunk` at a time. seconds: of one item on a core of its own. nbytes: of one item that may come from
    or go to memory. awaited: the operations that must be over before."""

    name: str
    items: int
    chunk: int
    seconds: float
    nbytes: float
    awaited: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Costs:
    """Seconds. look: to read a counter that another core wrote. take: to take from a counter, during which no other core
    takes from it. hand_over: until a waiting worker sees that an operation is over. wake: between the beginnings of two
    workers. bandwidth: bytes a second that all cores together move; None: as many as they ask for."""

    look: float = 60e-9
    take: float = 80e-9
    hand_over: float = 300e-9
    wake: float = 1e-6
    bandwidth: float | None = None


@dataclasses.dataclass(frozen=True)
class Over:
    """What a worker waits for: that an operation is over."""

    operation: int


@dataclasses.dataclass(frozen=True)
class Outcome:
    """seconds: from the launch to the end of the last worker. The others are sums over workers: computing, waiting for
    other operations, and taking work. late: for each operation, seconds that workers waited before it."""

    seconds: float
    computing: float
    waiting: float
    taking: float
    late: tuple[float, ...]


def simulate(
    operations: Sequence[Operation], workers: int, segments: int, costs: Costs = Costs()
) -> Outcome:
    """One launch. Raises ValueError for an operation that awaits itself or a later one."""
    for number, operation in enumerate(operations):
        if any(other >= number for other in operation.awaited):
            raise ValueError(f"operation {number} awaits {operation.awaited}")
    return _Launch(operations, workers, segments, costs).run()


class _Launch:
    """What the workers share."""

    def __init__(
        self, operations: Sequence[Operation], workers: int, segments: int, costs: Costs
    ) -> None:
        self.operations, self.workers, self.segments, self.costs = (
            operations,
            workers,
            segments,
            costs,
        )
        self.taken = [[0] * segments for _ in operations]
        self.free_at = [[0.0] * segments for _ in operations]  # when a counter can be taken from
        self.left = [operation.items for operation in operations]
        self.over: list[float | None] = [
            None if operation.items else 0.0 for operation in operations
        ]
        self.computing = self.taking = 0.0
        self.late = [0.0] * len(operations)

    def run(self) -> Outcome:
        """The worker whose next step is the earliest takes it, so that counters are taken from in the order of time."""
        steps = [_worker(self, i) for i in range(self.workers)]
        for step in steps:
            next(step)
        queue = [(i * self.costs.wake, i) for i in range(self.workers)]
        sleeping: dict[int, list[tuple[float, int]]] = {}
        end = 0.0
        while queue:
            now, i = heapq.heappop(queue)
            try:
                wanted = steps[i].send(now)
            except StopIteration:
                end = max(end, now)
            else:
                if isinstance(wanted, Over):
                    sleeping.setdefault(wanted.operation, []).append((now, i))
                else:
                    heapq.heappush(queue, (wanted, i))
            for number in [n for n in sleeping if self.over[n] is not None]:
                over = self.over[number]
                assert over is not None
                for since, sleeper in sleeping.pop(number):
                    heapq.heappush(queue, (max(since, over + self.costs.hand_over), sleeper))
        if sleeping:
            raise AssertionError(f"workers wait for ever: {sleeping}")
        return Outcome(end, self.computing, sum(self.late), self.taking, tuple(self.late))

    def item_seconds(self, operation: Operation) -> float:
        """Of one item while all workers are busy: they share the bandwidth."""
        if self.costs.bandwidth is None:
            return operation.seconds
        return max(operation.seconds, operation.nbytes * self.workers / self.costs.bandwidth)

    def take(self, number: int, segment: int, now: float) -> float:
        """Takes a chunk; when it has it."""
        self.taken[number][segment] += self.operations[number].chunk
        start = max(now, self.free_at[number][segment])
        self.free_at[number][segment] = has = start + self.costs.take
        self.taking += has - now
        return has

    def done(self, number: int, items: int, now: float) -> None:
        self.left[number] -= items
        if self.left[number] == 0:
            self.over[number] = now


def _worker(launch: _Launch, worker: int) -> Generator[float | Over, float, None]:
    """The body of the kernel. Yields the time of its next step, or the operation that must be over first."""
    segments = launch.segments
    now = yield 0.0
    for number, operation in enumerate(launch.operations):
        did = 0
        each = launch.item_seconds(operation)
        for turn in range(segments):
            segment = (worker + turn) % segments
            begin = operation.items * segment // segments
            size = operation.items * (segment + 1) // segments - begin
            launch.taking += launch.costs.look
            now = yield now + launch.costs.look
            while launch.taken[number][segment] < size:
                first = launch.taken[number][segment]
                now = yield launch.take(number, segment, now)
                for other in operation.awaited if did == 0 else ():
                    asked = now
                    if launch.over[other] is None:
                        now = yield Over(other)
                    launch.late[number] += now - asked
                count = min(operation.chunk, size - first)
                did += count
                launch.computing += count * each
                now = yield now + count * each
        if did:
            launch.done(number, did, now)

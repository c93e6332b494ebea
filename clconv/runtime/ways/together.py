"""A plan's launches of which the thread that asks is a worker."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clconv.lowering.model.call import KernelCall
from clconv.planning.persistent import LINE, TOGETHER
from clconv.runtime.direct import BoundLaunch
from clconv.runtime.opencl import Device, NoFunction, Queue
from clconv.runtime.process import opencl
from clconv.runtime.ways.called import check_callable, function_of, given_by_name, tables_of


class Together:
    """Persistent launches with one worker fewer, whose part this thread does: it begins at once, while the others wake, and need
    not be woken when they have ended. Raises NoFunction where that is not so, see Alone.

    ready: each launch with its sizes, and the arguments that were set for it; they are kept.
    """

    def __init__(
        self,
        device: Device,
        queue: Queue,
        launches: Sequence[KernelCall],
        ready: Sequence[BoundLaunch],
    ) -> None:
        check_callable(device)
        self._queue = queue
        self._parts = [_Part(queue, *one) for one in zip(launches, ready, strict=True)]

    def run(self) -> None:
        """What the launches do; it is over when this returns. What ran before is over."""
        with opencl:
            for part in self._parts:
                try:
                    part.hosts[0] = 1
                    part.others.enqueue()
                    part.call(part.place)
                    if part.unfinished[0]:
                        self._clean(part)
                except BaseException:
                    self._clean(part)
                    raise

    def _clean(self, part: _Part) -> None:
        """Waits, as one who sleeps, and leaves the counters as they were."""
        self._queue.finish()
        part.counters[:] = 0


class _Part:
    """A launch: its others, and the function of the worker that is none of them."""

    def __init__(self, queue: Queue, launch: KernelCall, bound: BoundLaunch) -> None:
        if launch.global_size == (1,):
            raise NoFunction("there is one worker, whom nobody waits for")
        function = function_of(launch, TOGETHER)
        (kernel, (workers,), local_size), arguments = bound
        given = given_by_name(launch, arguments)
        tables = tables_of(given, "operations", "words", "awaited", "counters")
        operations, words, awaited, counters = tables
        count, segments = int(given["count"]), int(given["segments"])
        addresses = [t.ctypes.data for t in (words, awaited, counters)]
        call = np.array(
            [operations.ctypes.data, count, *addresses, segments, workers, 0], np.uint64
        )
        self.place, self.call, self._held = call.ctypes.data, function.call, (function, *tables)
        self.unfinished, self.counters = call[-1:], counters
        hosts = count * (segments + 1) * LINE + 1
        self.hosts = counters.view(np.int32)[hosts : hosts + 1]
        self.others = queue.ready([(kernel, (workers - 1,), local_size)])

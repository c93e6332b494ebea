"""A plan's launches as calls of their machine code: in the thread that asks for them, alone or together with helpers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.device.cores import usable_cores
from clconv.lowering.model.call import KernelCall
from clconv.planning.persistent import ALONE, TOGETHER, is_persistent, is_wanted
from clconv.runtime.opencl import Device, Function, NoFunction, host_memory
from clconv.runtime.ways.helpers import helpers_for, table_of

_PROOF = 0x5A17C0DE0BADF00D
_TABLES = ("operations", "words", "awaited", "counters")


class Called:
    """Persistent launches, and where what they read lies. Raises NoFunction where they are none, or their memory is not the
    host's.

    arguments: of each launch, as they were set for it; they are kept.
    """

    def __init__(
        self, device: Device, launches: Sequence[KernelCall], arguments: Sequence[Sequence[Any]]
    ) -> None:
        if not is_wanted(device.info) or not device.info.is_cpu:
            raise NoFunction("the device's machine code is not known to be the host's")
        self.workers = device.info.compute_units
        self.launches = [_named(*one) for one in zip(launches, arguments, strict=True)]


def _named(launch: KernelCall, arguments: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """A launch's symbol, and its arguments by name: numbers, and memory."""
    if not is_persistent(launch.kernel):
        raise NoFunction(f"{launch.node} is a launch of its own")
    found = dict(zip((name for name, _ in launch.arguments), arguments, strict=True))
    for name in _TABLES:
        found[name] = host_memory(found[name])
        if found[name] is None:
            raise NoFunction("its tables have memory of their own")
    return launch.kernel.symbol, found


class Alone:
    """The launches by one thread. Raises NoFunction where they cannot be called."""

    def __init__(self, called: Called) -> None:
        self._calls = [self._call(*one) for one in called.launches]

    def _call(self, symbol: str, given: dict[str, Any]) -> tuple[Function, int, tuple[Any, ...]]:
        function = Function(symbol, f"{symbol}_{ALONE}")
        proof = np.array([0, 0, _PROOF], np.uint64)
        function.call(proof.ctypes.data)
        if proof[2] != ~np.uint64(_PROOF):
            raise NoFunction(f"{symbol} does not do what it should")
        operations, words = given["operations"], given["words"]
        table = table_of(operations.ctypes.data, int(given["count"]), words.ctypes.data)
        return function, table.ctypes.data, (table, operations, words)

    def run(self) -> None:
        """What the launches do; it is over when this returns."""
        for function, place, _ in self._calls:
            function.call(place)


class Together:
    """The launches by the thread that asks and helpers, who come while it goes on. Raises NoFunction.

    alone: does them while the helpers work for somebody else. waits: whether they are waited for instead.
    """

    def __init__(self, called: Called, alone: Alone, waits: bool) -> None:
        count = min(called.workers, usable_cores()) - 1
        if count < 1 or not called.launches:
            raise NoFunction("there is nobody to help")
        self._alone, self._waits = alone, waits
        self._helpers = helpers_for(called.launches[0][0], count)
        self._calls = [self._call(*one) for one in called.launches]

    def _call(self, symbol: str, given: dict[str, Any]) -> tuple[Function, int, tuple[Any, ...]]:
        function = Function(symbol, f"{symbol}_{TOGETHER}")
        tables = [given[name] for name in _TABLES]
        operations, words, awaited, counters = (table.ctypes.data for table in tables)
        count, segments = int(given["count"]), int(given["segments"])
        where = self._helpers.place, function.address
        table = table_of(operations, count, words, awaited, counters, segments, *where)
        return function, table.ctypes.data, (table, *tables)

    def run(self) -> None:
        """What the launches do; it is over when this returns."""
        helpers = self._helpers
        if helpers.are_gone or (not self._waits and helpers.lock.locked()):
            self._alone.run()
            return
        with helpers.lock:
            for function, place, _ in self._calls:
                function.call(place)

"""A plan's launches as calls of their machine code in the thread that asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.lowering.model.call import KernelCall
from clconv.planning.persistent import ALONE, is_persistent, is_wanted
from clconv.runtime.opencl import Device, Function, NoFunction, host_memory


class Alone:
    """Persistent launches by one thread. Raises NoFunction where they are none, their memory is not the host's, or they cannot
    be called.

    arguments: of each launch, as they were set for it; they are kept.
    """

    def __init__(
        self, device: Device, launches: Sequence[KernelCall], arguments: Sequence[Sequence[Any]]
    ) -> None:
        if not is_wanted(device.info) or not device.info.is_cpu:
            raise NoFunction("the device's machine code is not known to be the host's")
        self._calls = [_call(*one) for one in zip(launches, arguments, strict=True)]

    def run(self) -> None:
        """What the launches do; it is over when this returns."""
        for function, place, _ in self._calls:
            function.call(place)


def _call(
    launch: KernelCall, arguments: Sequence[Any]
) -> tuple[Function, int, tuple[np.ndarray, ...]]:
    """A launch's function, the number it is called with, and the memory that this number leads to."""
    if not is_persistent(launch.kernel):
        raise NoFunction(f"{launch.node} is a launch of its own")
    symbol = launch.kernel.symbol
    function = Function(symbol, f"{symbol}_{ALONE}")
    given = dict(zip((name for name, _ in launch.arguments), arguments, strict=True))
    operations, words = host_memory(given["operations"]), host_memory(given["words"])
    if operations is None or words is None:
        raise NoFunction("its tables have memory of their own")
    call = [operations.ctypes.data, int(given["count"]), words.ctypes.data]
    table = np.array(call, np.uint64)
    return function, table.ctypes.data, (table, operations, words)

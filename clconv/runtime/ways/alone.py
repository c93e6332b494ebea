"""A plan's launches as calls of their machine code in the thread that asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.lowering.model.call import KernelCall
from clconv.planning.persistent import ALONE
from clconv.runtime.opencl import Device, Function
from clconv.runtime.ways.called import check_callable, function_of, given_by_name, tables_of


class Alone:
    """Persistent launches by one thread. Raises NoFunction where they are none, their memory is not the host's, or they cannot
    be called.

    arguments: of each launch, as they were set for it; they are kept.
    """

    def __init__(
        self, device: Device, launches: Sequence[KernelCall], arguments: Sequence[Sequence[Any]]
    ) -> None:
        check_callable(device)
        self._calls = [_call(*one) for one in zip(launches, arguments, strict=True)]

    def run(self) -> None:
        """What the launches do; it is over when this returns."""
        for function, place, _ in self._calls:
            function.call(place)


def _call(
    launch: KernelCall, arguments: Sequence[Any]
) -> tuple[Function, int, tuple[np.ndarray, ...]]:
    """A launch's function, the number it is called with, and the memory that this number leads to."""
    function, given = function_of(launch, ALONE), given_by_name(launch, arguments)
    operations, words = tables_of(given, "operations", "words")
    call = [operations.ctypes.data, int(given["count"]), words.ctypes.data]
    table = np.array(call, np.uint64)
    return function, table.ctypes.data, (table, operations, words)

"""Functions in the machine code of persistent launches, and where the tables lie that they are called with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.lowering.model.call import KernelCall
from clconv.planning.persistent import is_persistent, is_wanted
from clconv.runtime.opencl import Device, Function, NoFunction, host_memory


def check_callable(device: Device) -> None:
    """Raises NoFunction where nothing of a device can be called."""
    if not is_wanted(device.info) or not device.info.is_cpu:
        raise NoFunction("the device's machine code is not known to be the host's")


def function_of(launch: KernelCall, name: str) -> Function:
    """The function of a persistent launch whose name ends so. Raises NoFunction where there is none."""
    if not is_persistent(launch.kernel):
        raise NoFunction(f"{launch.node} is a launch of its own")
    symbol = launch.kernel.symbol
    return Function(symbol, f"{symbol}_{name}")


def given_by_name(launch: KernelCall, arguments: Sequence[Any]) -> dict[str, Any]:
    """arguments: as they were set for the launch."""
    return dict(zip((name for name, _ in launch.arguments), arguments, strict=True))


def tables_of(given: dict[str, Any], *names: str) -> list[np.ndarray]:
    """The memory of those arguments. Raises NoFunction where it is not the host's."""
    found = [host_memory(given[name]) for name in names]
    tables = [table for table in found if table is not None]
    if len(tables) < len(found):
        raise NoFunction("its tables have memory of their own")
    return tables

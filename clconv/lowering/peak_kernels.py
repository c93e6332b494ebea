"""The two launches that measure a device's ceiling: multiply-adds in registers, and a copy through memory."""

from __future__ import annotations

from clconv.device.info import DeviceInfo
from clconv.graph.ops.base import Cost
from clconv.lowering.model.arguments import Read, Scalar, Write
from clconv.lowering.model.call import Kernel, KernelCall

CHAINS = 12  # independent sums of one work-item: hides the latency of the multiply-add, fits 16 registers
FACTOR, ADDEND = (
    0.5,
    0.25,
)  # every chain tends to 0.5: neither overflow nor denormals, however many rounds
_ITEMS_A_CORE, _ITEMS_A_GPU_UNIT = 8, 2048  # work-items for each compute unit: enough to balance


def peak_arithmetic_call(device: DeviceInfo, rounds: int) -> KernelCall:
    """Multiply-adds in chains on all compute units; writes value "y" of `result_floats` floats."""
    width, items = _width(device), _items(device)
    kernel = Kernel.of("peak/arithmetic.cl.mako", "peak_arithmetic", width=width, chains=CHAINS)
    return KernelCall(
        "arithmetic",
        kernel,
        (
            ("y", Write("y")),
            ("factor", Scalar(FACTOR, "float")),
            ("addend", Scalar(ADDEND, "float")),
            ("rounds", Scalar(rounds, "int")),
        ),
        (items,),
        (1,) if device.is_cpu else None,
        Cost(2 * width * CHAINS * rounds * items),
    )


def result_floats(device: DeviceInfo) -> int:
    """Elements that the launch of `arithmetic_call` writes."""
    return _width(device) * _items(device)


def peak_copy_call(device: DeviceInfo, floats: int) -> KernelCall:
    """A copy of value "x" to value "y"; `floats` is rounded down to what the work-items share evenly."""
    width = _width(device)
    per_item = max(floats // _items(device) // width, 1) * width if device.is_cpu else width
    items = max(floats // per_item, 1)
    total = items * per_item
    return KernelCall(
        "copy",
        Kernel.of("peak/copy.cl.mako", "peak_copy", width=width),
        (
            ("x", Read("x")),
            ("y", Write("y")),
            ("total", Scalar(total, "long")),
            ("per_item", Scalar(per_item, "long")),
        ),
        (items,),
        (1,) if device.is_cpu else None,
        Cost(0, 8 * total),
    )


def _width(device: DeviceInfo) -> int:
    return device.vector_width if device.is_cpu else 4


def _items(device: DeviceInfo) -> int:
    return device.compute_units * (_ITEMS_A_CORE if device.is_cpu else _ITEMS_A_GPU_UNIT)

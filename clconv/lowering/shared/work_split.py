"""How much of a node's work one work-item does."""

from __future__ import annotations

from clconv.device.info import DeviceInfo

_LEAST_WORK = 2048  # elements: fewer cost less than starting a work-item on a CPU


def elements_per_item(
    device: DeviceInfo, work: int, unit: int = 1, least: int = _LEAST_WORK
) -> int:
    """Elements a work-item computes out of `work`, a multiple of unit: one unit on a GPU; on a CPU so many
    that there are about eight items a compute unit, but at least `least`."""
    if not device.is_cpu:
        return unit
    per_item = max(least, -(-work // (8 * device.compute_units)))
    return -(-per_item // unit) * unit


def items(work: int, per_item: int) -> int:
    """Work-items for that much work."""
    return -(-work // per_item)


def nested(*sizes: int) -> int:
    """Rounds of loops inside each other, outermost first: those of the outer ones count, too."""
    rounds = 0
    for size in reversed(sizes):
        rounds = size * (1 + rounds)
    return rounds


def power_of_two(number: int) -> int:
    """The largest power of two that is at most a positive number."""
    return 1 << number.bit_length() - 1

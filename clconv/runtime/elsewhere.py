"""Runs on arrays of a caller's, and with results that stay on the device: what is copied, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.runtime.bound import BoundPlan
from clconv.runtime.moved import ALIGNMENT, is_worth_moving, moved_of, run_moved
from clconv.runtime.opencl import DeviceArray, Flight, borrowed, extent_of, is_behind


def returned_specs(bound: BoundPlan) -> dict[str, TensorSpec]:
    """Specs of the outputs that a run gives back, of the whole batch."""
    return moved_of(bound).specs


def run_elsewhere(
    bound: BoundPlan,
    feeds: Mapping[str, DeviceArray | np.ndarray],
    targets: Mapping[str, DeviceArray | None],
    events: list[Any],
    waits: bool,
) -> dict[str, DeviceArray]:
    """The outputs that are asked for, as arrays that may still be computed: their events say when they are there.

    feeds: for exactly the plan's fed inputs. targets: where an output goes, None for a new array. They do not overlap
    each other; one that overlaps an input is filled at the end. events: what must be over before. waits: whether the
    caller waits for the results before anything else is done with the inputs, so that arrays of the host's can be read
    in place.
    """
    device, queue, moved = bound.device, bound.queue, moved_of(bound)
    arrays: dict[str, DeviceArray] = {}
    for name, value in feeds.items():
        if isinstance(value, DeviceArray):
            arrays[name] = value
        elif waits and can_borrow(bound, value):
            arrays[name] = DeviceArray(
                borrowed(device.context, value, writes=False), value.shape, value.dtype
            )
        else:
            arrays[name] = moved.arrays.copied(value, queue.raw)
    before = [event for array in arrays.values() for event in array.events] + events
    before += [
        event for target in targets.values() if target is not None for event in target.events
    ]
    queue.after([event for event in before if not is_behind(event, queue.raw)])
    computed: dict[str, DeviceArray] = {}
    for name, target in targets.items():
        if target is None or _overlaps(target, arrays):
            spec = moved.specs[name]
            computed[name] = moved.arrays.empty(
                tuple(map(int, spec.shape)), spec.dtype.numpy, queue.raw
            )
        else:
            computed[name] = target
    flight = _run_parts(bound, arrays, computed)
    found: dict[str, DeviceArray] = {}
    for name, target in targets.items():
        source = computed[name]
        if target is not None and target is not source:
            queue.copy(target.handle, source.handle, source.nbytes, target.offset, source.offset)
        found[name] = target or source
    if any(found[name] is not computed[name] for name in found):
        kept = [array.memory for array in (*computed.values(), *found.values())]
        flight = Flight(queue.event(), [flight, *kept])
    for array in found.values():
        array.computed_by(flight)
    return found


def can_borrow(bound: BoundPlan, array: np.ndarray) -> bool:
    """Whether a plan's kernels can read a contiguous array of the host's where it is."""
    return (
        is_worth_moving(array.nbytes)
        and bound.device.info.kind == "cpu"
        and array.ctypes.data % ALIGNMENT == 0
    )


def _overlaps(target: DeviceArray, arrays: Mapping[str, DeviceArray]) -> bool:
    own = extent_of(target.handle, target.offset, target.nbytes)
    return any(own.overlaps(extent_of(a.handle, a.offset, a.nbytes)) for a in arrays.values())


def _run_parts(
    bound: BoundPlan, feeds: Mapping[str, DeviceArray], targets: Mapping[str, DeviceArray]
) -> Flight:
    """Runs the whole batch, a few images at a time where the plan is for so many."""
    split = bound.plan.batch_split
    if split is None:
        return run_moved(bound, feeds, targets)
    flight = None
    for first in split.begins:
        part = {n: a.rows(first, split.count) if n in split.inputs else a for n, a in feeds.items()}
        results = {name: a.rows(first, split.count) for name, a in targets.items()}
        flight = run_moved(bound, part, results, [] if flight is None else [flight])
    assert flight is not None
    return flight

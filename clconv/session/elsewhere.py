"""Runs of a session on arrays that lie on the device, and with results that stay there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv import config
from clconv.errors import InputError
from clconv.graph.ir import TensorSpec
from clconv.graph.tensor import DType
from clconv.runtime.bound import BoundPlan
from clconv.runtime.elsewhere import returned_specs, run_elsewhere
from clconv.runtime.opencl import (
    DeviceArray,
    check_access,
    check_events,
    device_array,
    extent_of,
    is_on_device,
    wait_for,
)
from clconv.runtime.prepared import PreparedDevice
from clconv.session.inputs import conform
from clconv.session.opened import Opened
from clconv.session.wanted import DEVICE, PYOPENCL, Wanted

Found = dict[str, Any]


def on_device_any(feeds: Mapping[str, Any]) -> bool:
    """Whether something of what is fed lies on a device."""
    return any(is_on_device(value) for value in feeds.values())


def run(
    opened: Opened,
    specs: Mapping[str, TensorSpec],
    feeds: Mapping[str, Any],
    wanted: Wanted,
    events: Any,
) -> Found:
    """Like Session.run(); specs: of the inputs. Plans that need the host in between, and CLCONV_CHECK, take and give what
    lies on the device by way of the host."""
    prepared = opened.shared.prepared
    context = prepared.device.context
    before = check_events(events, context)
    arrays = conform(specs, _in_place(specs, feeds, context))
    for name, value in arrays.items():
        if isinstance(value, DeviceArray):
            check_access(f"input '{name}'", value, written=False)
    bound = _whole_plan(opened, arrays)
    if bound is None or config.CHECK.get():
        return _by_host(opened, arrays, wanted, before)
    targets = _targets(wanted, returned_specs(bound), context)
    given = {name: targets.get(name) for name in wanted.places}
    found = run_elsewhere(bound, arrays, given, before, wanted.waits)
    return {name: _handed_out(array, wanted.places[name]) for name, array in found.items()}


def as_host(feeds: Mapping[str, Any]) -> Mapping[str, Any]:
    """The feeds with copies of what lies on the device, for those who run plans by themselves."""
    if not on_device_any(feeds):
        return feeds
    return {n: _on_host(v) if is_on_device(v) else v for n, v in feeds.items()}


def _on_host(value: Any) -> Any:
    get = getattr(value, "get", None)
    if get is None and not isinstance(value, np.ndarray):
        raise InputError(
            "a bare buffer is taken by run() only; give clconv.DeviceArray(buffer, shape, dtype)"
        )
    return value if get is None else get()


def _in_place(
    specs: Mapping[str, TensorSpec], feeds: Mapping[str, Any], context: Any
) -> dict[str, Any]:
    return {
        name: device_array(f"input '{name}'", value, specs.get(name), context)
        if is_on_device(value)
        else value
        for name, value in feeds.items()
    }


def _whole_plan(opened: Opened, arrays: Mapping[str, Any]) -> BoundPlan | None:
    """The plan for these arrays; None if it is not the whole network."""
    specs = {n: TensorSpec(tuple(a.shape), DType.of(a.dtype)) for n, a in arrays.items()}
    ready = opened.stage.ready(specs, {})
    return ready.bound if ready.rest is None and ready.bound.plan.cut is None else None


def _by_host(opened: Opened, arrays: Mapping[str, Any], wanted: Wanted, before: list[Any]) -> Found:
    wait_for(before)
    host = {n: a.get() if isinstance(a, DeviceArray) else a for n, a in arrays.items()}
    values = opened.stage.run(host, opened.bodies)
    return placed(opened.shared.prepared, values, wanted)


def placed(prepared: PreparedDevice, values: Mapping[str, np.ndarray], wanted: Wanted) -> Found:
    """Outputs that are on the host where they are wanted, by copies. Raises InputError for places that do not fit."""
    specs = {name: TensorSpec.of(values[name]) for name in wanted.places}
    targets = _targets(wanted, specs, prepared.device.context)
    found: Found = {}
    for name, place in wanted.places.items():
        if name in targets:
            targets[name].set(values[name])
            found[name] = _handed_out(targets[name], place)
        elif isinstance(place, np.ndarray):
            np.copyto(place, values[name])
            found[name] = place
        elif place in (DEVICE, PYOPENCL):
            found[name] = _handed_out(copied(prepared, values[name]), place)
        else:
            found[name] = values[name]
    return found


def copied(prepared: PreparedDevice, array: np.ndarray) -> DeviceArray:
    """A copy of an array of the host's on the device."""
    return prepared.device.copied(np.asarray(array, order="C"), prepared.queue.raw)


def _targets(
    wanted: Wanted, specs: Mapping[str, TensorSpec], context: Any
) -> dict[str, DeviceArray]:
    """The arrays on the device that outputs go into. Raises InputError where one does not fit, may not be written, or
    overlaps another."""
    found: dict[str, DeviceArray] = {}
    extents: dict[str, Any] = {}
    for name, place in wanted.places.items():
        if isinstance(place, str):
            continue
        what, spec = f"output '{name}'", specs[name]
        if isinstance(place, np.ndarray) and not is_on_device(place):
            _check_fits(what, place, spec)
            if not place.flags.writeable:
                raise InputError(f"{what}: the array is read-only")
            continue
        if not is_on_device(place):
            raise InputError(f"{what}: a place is an array, not {type(place).__name__}")
        array = device_array(what, place, spec, context)
        _check_fits(what, array, spec)
        check_access(what, array, written=True)
        extent = extent_of(array.handle, array.offset, array.nbytes)
        for other, taken in extents.items():
            if extent.overlaps(taken):
                raise InputError(f"{what} and output '{other}' go into the same memory")
        found[name], extents[name] = array, extent
    return found


def _check_fits(what: str, array: Any, spec: TensorSpec) -> None:
    if tuple(array.shape) != spec.shape or array.dtype != spec.dtype.numpy:
        raise InputError(
            f"{what} is {spec}, the array for it {array.dtype.name}{list(array.shape)}; outputs='device' makes one that "
            "fits"
        )


def _handed_out(array: DeviceArray, place: Any) -> Any:
    """An output as the caller wants it."""
    if isinstance(place, str):
        if place == DEVICE:
            return array
        return array.to_pyopencl() if place == PYOPENCL else array.get()
    if isinstance(place, np.ndarray) and not is_on_device(place):
        np.copyto(place, array.get())
        return place
    if hasattr(place, "add_event"):  # pyopencl's
        for event in array.events:
            place.add_event(event)
        return place
    return array

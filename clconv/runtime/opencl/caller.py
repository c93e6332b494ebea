"""A context and a queue of the caller's, in which a session computes."""

from __future__ import annotations

from typing import Any

import pyopencl as cl

from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.records import record
from clconv.runtime.opencl.found import device_infos, raw_devices


@record(frozen=True)
class Place:
    """device: where a session computes. context: of pyopencl; queue: in which it enqueues, None for one of its own."""

    device: DeviceInfo
    context: Any
    queue: Any = None


def callers_place(context: Any, queue: Any, wanted: DeviceInfo | None = None) -> Place:
    """Where a caller wants a session: in a context, in a queue, or both; wanted: the device that they asked for besides.

    Raises InputError for a queue of another context, an out-of-order queue, a context of several devices where neither
    queue nor device says which, and a device that is not theirs.
    """
    if queue is not None and not isinstance(queue, cl.CommandQueue):
        raise InputError(f"queue= takes a pyopencl.CommandQueue, not {type(queue).__name__}")
    if context is not None and not isinstance(context, cl.Context):
        raise InputError(f"context= takes a pyopencl.Context, not {type(context).__name__}")
    if queue is not None:
        if context is not None and queue.context != context:
            raise InputError("the queue belongs to another context; leave context= away")
        if queue.properties & cl.command_queue_properties.OUT_OF_ORDER_EXEC_MODE_ENABLE:
            raise InputError(
                "the queue is out of order, a session needs one in order; give context= alone, and events by wait_for="
            )
        context = queue.context
    here = [queue.device] if queue is not None else list(context.devices)
    known = list(raw_devices())
    infos = [device_infos()[known.index(d)] for d in here if d in known]
    names = ", ".join(d.name.strip() for d in here)
    if not infos:
        raise InputError(
            f"no session can be on {names}: clconv takes whole devices of clconv.devices()"
        )
    if wanted is not None:
        found = [info for info in infos if info.index == wanted.index]
        if not found:
            raise InputError(
                f"the device is {wanted}, the context or queue is for {names}; leave device= away"
            )
        return Place(wanted, context, queue)
    if len(infos) > 1:
        raise InputError(f"the context has several devices, {names}; say which: device=, or queue=")
    return Place(infos[0], context, queue)

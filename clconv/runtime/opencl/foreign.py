"""What others keep on a device, as DeviceArrays: buffers, shared virtual memory, arrays of pyopencl."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pyopencl as cl

from clconv.errors import InputError
from clconv.graph.ir import TensorSpec
from clconv.runtime.opencl.arrays import DeviceArray


def is_on_device(value: Any) -> bool:
    """Whether a value lies in a buffer or in shared virtual memory."""
    if isinstance(value, DeviceArray | cl.MemoryObjectHolder | cl.SVMPointer):
        return True
    if isinstance(value, np.ndarray):
        return isinstance(value.base, cl.SVMPointer)
    return _is_of_pyopencl(value)


def _is_of_pyopencl(value: Any) -> bool:
    module = sys.modules.get("pyopencl.array")
    return module is not None and isinstance(value, module.Array)


def device_array(what: str, value: Any, spec: TensorSpec | None, context: Any) -> DeviceArray:
    """A value that is_on_device() as a DeviceArray, in place.

    what: what it is for, such as "input 'x'". spec: what is taken there, which tells a bare buffer's shape. Raises
    InputError where it lies in another context, where its rows are not one behind the other, and for a bare buffer that
    is too small, or whose shape is not known.
    """
    if isinstance(value, DeviceArray):
        found = value
    elif _is_of_pyopencl(value):
        found = _of_pyopencl(what, value, context)
    elif isinstance(value, np.ndarray):
        if not value.flags.c_contiguous:
            raise InputError(
                f"{what}: the array has strides {value.strides}; give a contiguous copy"
            )
        begin = value.ctypes.data - value.base.svm_ptr  # type: ignore[union-attr]
        found = DeviceArray(value.base, value.shape, value.dtype, begin, context=context)
    else:
        found = _bare(what, value, spec, context)
    if found.context != context:
        raise InputError(
            f"{what}: the array lies in another context than the session, on {found.context.devices[0].name.strip()}; "
            "give the session that context (clconv.load(..., context=array.context)), make the array in "
            "session.context, or copy it by way of the host: array.get()"
        )
    return found


def _of_pyopencl(what: str, array: Any, context: Any) -> DeviceArray:
    if not array.flags.c_contiguous:
        raise InputError(
            f"{what}: the pyopencl array has strides {array.strides} for the shape {array.shape}; what is taken in place "
            "lies row by row: give a contiguous copy of it"
        )
    if array.base_data is None:  # it has no elements
        buffer = cl.Buffer(context, cl.mem_flags.READ_WRITE, 4)
        return DeviceArray(buffer, array.shape, array.dtype)
    return DeviceArray(
        array.base_data, array.shape, array.dtype, array.offset, events=array.events,
        queue=array.queue, context=context,
    )  # fmt: skip


def _bare(what: str, value: Any, spec: TensorSpec | None, context: Any) -> DeviceArray:
    if spec is None or not spec.is_static:
        raise InputError(
            f"{what} takes {spec}: a bare buffer does not say its shape; give clconv.DeviceArray(buffer, shape, dtype)"
        )
    if value.size < spec.nbytes:
        raise InputError(
            f"{what} takes {spec}, {spec.nbytes:,} bytes; the buffer has {value.size:,}"
        )
    return DeviceArray(value, spec.shape, spec.dtype.numpy, context=context)


def check_access(what: str, array: DeviceArray, written: bool) -> None:
    """Raises InputError where kernels may not read, or write, the buffer of an array."""
    flags = array.handle.get_info(cl.mem_info.FLAGS)
    if written and flags & cl.mem_flags.READ_ONLY:
        raise InputError(
            f"{what}: the buffer is READ_ONLY for kernels; make it with READ_WRITE, or take the output without giving a "
            "buffer: outputs='device'"
        )
    if not written and flags & cl.mem_flags.WRITE_ONLY:
        raise InputError(f"{what}: the buffer is WRITE_ONLY for kernels; make it with READ_WRITE")


def check_events(events: Any, context: Any) -> list[Any]:
    """A list of the events. Raises InputError for what is no event, or one of another context."""
    try:
        found = [events] if isinstance(events, cl.Event) else list(events or ())
    except TypeError:
        raise InputError(
            f"wait_for takes events of pyopencl, not {type(events).__name__}"
        ) from None
    for event in found:
        if not isinstance(event, cl.Event):
            raise InputError(f"wait_for takes events of pyopencl, not {type(event).__name__}")
        if event.get_info(cl.event_info.CONTEXT) != context:
            raise InputError(
                "wait_for: an event of another context than the session's; wait for it (event.wait()), or give the "
                "session that context: clconv.load(..., context=)"
            )
    return found


def is_behind(event: Any, queue: Any) -> bool:
    """Whether what is enqueued in an in-order queue comes after the event anyhow."""
    return bool(event.command_queue == queue)

"""Launches that are enqueued again and again, without an event for each: drivers of GPUs do extra work for one, and pyopencl
asks for one each time. So OpenCL's function is called here, where it is sure to be the one that pyopencl calls."""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Iterable
from typing import Any

import pyopencl as cl

Launch = tuple[Any, tuple[int, ...], tuple[int, ...] | None]  # kernel, global size, local size

_LARGEST = ctypes.c_size_t(-1).value
_NAME = "clEnqueueNDRangeKernel"
_FEW = 4  # launches that the device gets before the others are enqueued


class Launches:
    """Launches of one queue, in order. It keeps their kernels; what their arguments are is looked at each time."""

    def __init__(self, queue: Any, launches: Iterable[Launch]) -> None:
        """queue: of pyopencl."""
        self._queue, given = queue, [*launches]
        function = enqueue_function()
        if function is None or not all(map(_is_plain, given)):
            self._function, ready = _leave_it, [((), one) for one in given]
        else:
            self._function, ready = function, [(_arguments(queue, *one), one) for one in given]
        self._first, self._others = ready[:_FEW], ready[_FEW:]

    def enqueue(self) -> None:
        """Raises pyopencl.Error."""
        self._enqueue(self._first)
        if self._others:
            self._queue.flush()
            self._enqueue(self._others)

    def _enqueue(self, ready: Iterable[tuple[tuple[Any, ...], Launch]]) -> None:
        function, queue = self._function, self._queue
        for arguments, launch in ready:
            if function(*arguments):  # pyopencl says what is wrong, or frees memory and succeeds
                cl.enqueue_nd_range_kernel(queue, *launch)


def _leave_it() -> int:
    """Stands for OpenCL's function where a launch is left to pyopencl."""
    return 1


@functools.cache
def enqueue_function() -> Any:
    """OpenCL's function that enqueues a kernel, which keeps the interpreter's lock as pyopencl does; None where it is not sure
    to be the one that pyopencl calls."""
    if sys.platform == "win32":
        return None  # it looks for functions in a module, not in what that is linked with
    try:
        function = getattr(ctypes.PyDLL(cl._cl.__file__), _NAME)
    except (OSError, AttributeError):  # linked with a library that hides them
        return None
    # What the process itself is linked with, or was started with, comes first where pyopencl's calls are bound.
    first = getattr(ctypes.PyDLL(None), _NAME, function)
    if _address(first) != _address(function):
        return None
    function.restype = ctypes.c_int
    return function


def _address(function: Any) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value


def _is_plain(launch: Launch) -> bool:
    """Whether its sizes are what OpenCL's function can be told; pyopencl says what is wrong with others."""
    _, global_size, local_size = launch
    sizes = (*global_size, *(local_size or ()))
    alike = local_size is None or len(local_size) == len(global_size)
    return alike and len(global_size) > 0 and all(0 < int(size) <= _LARGEST for size in sizes)


def _arguments(
    queue: Any, kernel: Any, global_size: tuple[int, ...], local_size: tuple[int, ...] | None
) -> tuple[Any, ...]:
    """As objects of ctypes, which are passed on without a look at their types."""
    sizes = ctypes.c_size_t * len(global_size)
    return (
        ctypes.c_void_p(queue.int_ptr),
        ctypes.c_void_p(kernel.int_ptr),
        ctypes.c_uint(len(global_size)),
        None,
        sizes(*map(int, global_size)),
        None if local_size is None else sizes(*map(int, local_size)),
        0,
        None,
        None,
    )

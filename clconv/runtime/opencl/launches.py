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

    def __init__(self, queue: Any, launches: Iterable[Launch], on_cpu: bool) -> None:
        """queue: of pyopencl. on_cpu: events cost nothing there that could be measured, and pyopencl's code is the faster."""
        self._queue, given = queue, [*launches]
        function = None if on_cpu else enqueue_function()
        is_plain = function is not None and all(map(_is_plain, given))
        self._function: Any = function if is_plain else None
        ready = [(_arguments(queue, *one) if is_plain else (), one) for one in given]
        few = len(ready) if on_cpu else _FEW
        self._first, self._others = ready[:few], ready[few:]

    def enqueue(self) -> None:
        """Raises pyopencl.Error."""
        self._enqueue(self._first)
        if self._others:
            self._queue.flush()
            self._enqueue(self._others)

    def _enqueue(self, ready: Iterable[tuple[tuple[Any, ...], Launch]]) -> None:
        function, queue, usual = self._function, self._queue, cl.enqueue_nd_range_kernel
        if function is None:
            for _, (kernel, global_size, local_size) in ready:
                usual(queue, kernel, global_size, local_size)
            return
        for arguments, launch in ready:
            if function(*arguments):  # pyopencl says what is wrong, or frees memory and succeeds
                usual(queue, *launch)


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

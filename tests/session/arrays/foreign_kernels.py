"""Kernels of somebody else's, before and behind a network, and every copy that pyopencl is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pyopencl as cl

from clconv.device.info import DeviceInfo
from clconv.runtime.opencl.found import raw_devices

_COPIES = ("enqueue_copy", "enqueue_map_buffer", "enqueue_copy_buffer", "enqueue_svm_memcpy")

SOURCE = """
kernel void scaled(global const uchar *bytes, global float *x) {
    int i = get_global_id(0);
    x[i] = bytes[i] * (2.0f / 255) - 1;
}
kernel void thresholded(global const float *y, global uchar *mask) {
    int i = get_global_id(0);
    mask[i] = y[i] > 0.25f;
}
"""


_contexts: list[cl.Context] = []  # Intel's runtime forgets a context that only a queue uses


def another_context(device: DeviceInfo) -> cl.Context:
    """A new context on a device."""
    _contexts.append(cl.Context([raw_devices()[device.index]]))
    return _contexts[-1]


def before(bytes_in: np.ndarray) -> np.ndarray:
    """What `scaled` computes."""
    return bytes_in.astype(np.float32) * np.float32(2.0 / 255) - np.float32(1)


def behind(y: np.ndarray) -> np.ndarray:
    """What `thresholded` computes."""
    return (y > 0.25).astype(np.uint8)


@contextlib.contextmanager
def copies_counted() -> Iterator[list[str]]:
    """The names of pyopencl's functions that copy or map arrays, each time one is called meanwhile, and buffers that are
    made by copying an array. Words of a kernel's arguments do not count, nor where a buffer lies, which maps a byte."""
    found: list[str] = []
    with contextlib.ExitStack() as stack:
        for name in (n for n in _COPIES if hasattr(cl, n)):
            stack.enter_context(
                mock.patch.object(cl, name, _recording(name, getattr(cl, name), found))
            )
        yield found


def _recording(name: str, original: Any, found: list[str]) -> Any:
    def record(queue: Any, *args: Any, **named: Any) -> Any:
        nbytes = max((a.nbytes for a in args if isinstance(a, np.ndarray)), default=1 << 30)
        if name == "enqueue_map_buffer":
            nbytes = int(np.prod(args[3]))
        if nbytes > 8:
            found.append(name)
        return original(queue, *args, **named)

    return record

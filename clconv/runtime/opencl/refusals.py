"""What the OpenCL runtime refuses, as errors of clconv."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pyopencl as cl

from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError


def refused(doing: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What the runtime refuses, as a DeviceError that says what was being done, and where a method knows it, on which
    device."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            except (cl.Error, OverflowError) as reason:  # a size that OpenCL's types cannot hold
                owner = arguments[0] if arguments else None
                info = getattr(owner, "info", None)
                name = f"{info}" if isinstance(info, DeviceInfo) else "the OpenCL runtime"
                raise DeviceError(f"{name}: cannot {doing}: {reason}") from reason

        return call

    return wrap

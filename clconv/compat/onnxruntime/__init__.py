"""A stand-in for onnxruntime: its Python interface over clconv.

    import sys
    import clconv.compat.onnxruntime
    sys.modules["onnxruntime"] = clconv.compat.onnxruntime

From then on packages that `import onnxruntime` run their models on clconv. Which device: CLCONV_DEVICE, or
`providers=[("OpenCLExecutionProvider", {"device": "gpu"})]`. Execution providers of other names are accepted
and change nothing, as do the options that only steer onnxruntime's own speed.
"""

from __future__ import annotations

from clconv.compat.onnxruntime import capi
from clconv.compat.onnxruntime.binding import IOBinding, SessionIOBinding
from clconv.compat.onnxruntime.options import (
    ExecutionMode,
    ExecutionOrder,
    GraphOptimizationLevel,
    LogSeverity,
    RunOptions,
    SessionOptions,
)
from clconv.compat.onnxruntime.ortvalue import OrtValue
from clconv.compat.onnxruntime.session import InferenceSession
from clconv.compat.onnxruntime.surroundings import (
    disable_telemetry_events,
    enable_telemetry_events,
    get_all_providers,
    get_available_providers,
    get_build_info,
    get_device,
    get_version_string,
    preload_dlls,
    set_default_logger_severity,
    set_default_logger_verbosity,
    set_seed,
)
from clconv.compat.onnxruntime.types import ModelMetadata, NodeArg

__version__ = get_version_string()

__all__ = [
    "ExecutionMode",
    "ExecutionOrder",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "LogSeverity",
    "ModelMetadata",
    "NodeArg",
    "OrtValue",
    "RunOptions",
    "SessionIOBinding",
    "SessionOptions",
    "__version__",
    "capi",
    "disable_telemetry_events",
    "enable_telemetry_events",
    "get_all_providers",
    "get_available_providers",
    "get_build_info",
    "get_device",
    "get_version_string",
    "preload_dlls",
    "set_default_logger_severity",
    "set_default_logger_verbosity",
    "set_seed",
]

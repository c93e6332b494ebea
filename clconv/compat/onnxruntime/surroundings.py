"""What packages ask onnxruntime before they make a session."""

from __future__ import annotations

from clconv.compat.onnxruntime.logs import set_severity
from clconv.errors import DeviceError
from clconv.runtime.device import choose_device

# The version of onnxruntime whose interface this is; packages compare it with what they need.
INTERFACE_VERSION = "1.22.0"

OPENCL_PROVIDER = "OpenCLExecutionProvider"
# Packages insist on the CPU's provider, and what has no kernel runs there, so it is always listed.
PROVIDERS = (OPENCL_PROVIDER, "CPUExecutionProvider")


def get_available_providers() -> list[str]:
    return list(PROVIDERS)


def get_all_providers() -> list[str]:
    return list(PROVIDERS)


def get_device() -> str:
    """ "GPU" if the device that clconv would choose now is one, else "CPU"."""
    try:
        return "GPU" if choose_device().kind == "gpu" else "CPU"
    except DeviceError:
        return "CPU"


def get_version_string() -> str:
    return INTERFACE_VERSION


def get_build_info() -> str:
    return f"clconv's interface of onnxruntime {INTERFACE_VERSION}"


def set_default_logger_severity(severity: int) -> None:
    """What is written on standard error: 0 all, 1 also the device and what takes long, 2 what runs on the host instead of
    the device (the default), 3 and 4 nothing. Raises ValueError for another number."""
    set_severity(severity)


def set_default_logger_verbosity(verbosity: int) -> None:
    """Accepted: severity 0 has one verbosity."""


def set_seed(seed: int) -> None:
    """Accepted: no operator of clconv draws random numbers."""


def enable_telemetry_events() -> None:
    """Accepted: there is no telemetry."""


def disable_telemetry_events() -> None:
    """Accepted: there is no telemetry."""


def preload_dlls(
    cuda: bool = True, cudnn: bool = True, msvc: bool = True, directory: object = None
) -> None:
    """Accepted: clconv loads no CUDA libraries."""

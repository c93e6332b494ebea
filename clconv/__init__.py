"""clconv: convolutional networks on any OpenCL device.

    session = clconv.load("model.onnx")
    outputs = session.run({"x": array})

Importing this package loads neither NumPy nor OpenCL; the names below do at their first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clconv import errors, layers, losses, optim, visualize
    from clconv.ahead import precompile
    from clconv.api import compile, load, save  # noqa: A004
    from clconv.bridges.torch_export import from_torch
    from clconv.device.info import DeviceInfo
    from clconv.errors import ClconvError
    from clconv.graph.derivatives import gradients
    from clconv.graph.ir import Graph
    from clconv.predictor import Predictor
    from clconv.profiling.measure import profile
    from clconv.runtime.device import devices
    from clconv.runtime.opencl import DeviceArray
    from clconv.session.session import Session
    from clconv.training.trainer import Trainer

from clconv.garbage import uncollected
from clconv.version import __version__

__all__ = [
    "ClconvError",
    "DeviceArray",
    "DeviceInfo",
    "Graph",
    "Predictor",
    "Session",
    "Trainer",
    "__version__",
    "compile",
    "devices",
    "errors",
    "from_torch",
    "gradients",
    "layers",
    "load",
    "losses",
    "optim",
    "precompile",
    "profile",
    "save",
    "visualize",
]

# Public name -> the module that has it; a name that is a module of its own maps to itself.
_HOMES = {
    "ClconvError": "clconv.errors",
    "DeviceArray": "clconv.runtime.opencl",
    "DeviceInfo": "clconv.device.info",
    "Graph": "clconv.graph.ir",
    "Predictor": "clconv.predictor",
    "Session": "clconv.session.session",
    "compile": "clconv.api",
    "devices": "clconv.runtime.device",
    "errors": "clconv.errors",
    "from_torch": "clconv.bridges.torch_export",
    "gradients": "clconv.graph.derivatives",
    "layers": "clconv.layers",
    "Trainer": "clconv.training.trainer",
    "load": "clconv.api",
    "save": "clconv.api",
    "losses": "clconv.losses",
    "optim": "clconv.optim",
    "precompile": "clconv.ahead",
    "profile": "clconv.profiling.measure",
    "visualize": "clconv.visualize",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'clconv' has no attribute {name!r}")
    with uncollected():
        module = importlib.import_module(_HOMES[name])
    found = module if _HOMES[name].endswith(f".{name}") else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

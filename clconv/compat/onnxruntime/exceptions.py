"""onnxruntime's exceptions, as names for clconv's own, so that what packages catch is what is raised."""

from __future__ import annotations

from clconv.errors import (
    ClconvError,
    DeviceError,
    GraphError,
    InputError,
    ModelError,
    UnsupportedError,
)


class NoSuchFile(ModelError, FileNotFoundError):
    """The model's path leads to no file."""


class NotFound(ClconvError):
    """Never raised; here because packages name it."""


class NoModel(ModelError):
    """Never raised; here because packages name it."""


class ModelLoaded(ModelError):
    """Never raised; here because packages name it."""


class ModelLoadCanceled(ModelError):
    """Never raised; here because packages name it."""


class ModelRequiresCompilation(ModelError):
    """Never raised; here because packages name it."""


Fail = ClconvError
InvalidArgument = InputError
InvalidProtobuf = ModelError
InvalidGraph = GraphError
NotImplemented = UnsupportedError  # onnxruntime calls it so
RuntimeException = DeviceError
EngineError = DeviceError
EPFail = DeviceError
DeviceReset = DeviceError

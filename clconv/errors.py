"""Every exception that clconv raises on purpose. All derive from ClconvError.

A message says what was asked, the shapes and the device concerned, and what would have worked. `Guard` stands around
the parts of clconv that may fail unexpectedly, and names the node where they did.
"""

from __future__ import annotations

import warnings
from types import TracebackType


class ClconvError(Exception):
    """Base of all errors that clconv raises on purpose."""


class ClconvWarning(UserWarning):
    """Something is wrong but does not stop the work: a file that is ignored, a variant that is known to be
    wrong where no other applies."""


_warned: set[str] = set()


def warn_once(text: str, about: str = "") -> None:
    """A ClconvWarning, unless this process has already warned with the same text, or about the same thing."""
    key = about or text
    if key not in _warned:
        _warned.add(key)
        warnings.warn(text, ClconvWarning, stacklevel=3)


class ConfigError(ClconvError, ValueError):
    """A CLCONV_* variable or an option has an invalid value."""


class ModelError(ClconvError, ValueError):
    """A model file is missing, damaged or invalid."""


class UnsupportedError(ModelError):
    """The model is valid but uses what clconv does not support. Lists all of it at once."""


class GraphError(ModelError):
    """A graph breaks a structural rule: cycles, undefined or duplicate values, bad attributes."""


class ShapeError(ModelError):
    """The shapes or dtypes of a node's inputs do not fit its operator."""


class InputError(ClconvError, ValueError):
    """What was passed to run() does not match the model's inputs."""


class ClosedError(ClconvError, RuntimeError):
    """A session was used after close()."""


class DeviceError(ClconvError, RuntimeError):
    """No OpenCL device matches, or the device's runtime refused a request."""


class ForkError(DeviceError):
    """The process was forked from one that had used OpenCL, which does not survive a fork."""


class DeviceMemoryError(DeviceError):
    """A tensor or the whole plan does not fit the device; raised before anything is allocated."""


class HostMemoryError(ClconvError, MemoryError):
    """The host has no memory for what a node needs; names the node."""


class InternalError(ClconvError, RuntimeError):
    """A bug in clconv: something failed that should have computed, or reported what is wrong with the model.
    The original exception (`__cause__`) shows where."""


class VariantError(ClconvError, ValueError):
    """A forced variant does not exist or cannot apply; names the condition that failed."""


class TemplateError(ClconvError, RuntimeError):
    """A kernel template failed to render; shows the numbered template source."""


class KernelBuildError(DeviceError):
    """The device's compiler refused a rendered kernel; shows numbered source and the build log."""


class TrainingError(ClconvError, RuntimeError):
    """Training cannot go on: the loss is no number any more."""


class CheckError(ClconvError, AssertionError):
    """CLCONV_CHECK found a value that differs from the NumPy reference."""


class NeedsValue(ClconvError):
    """A shape rule needs the value of an input that is only known at run time.

    Not a failure: the planner cuts the graph there and continues when the value is known.
    """

    def __init__(self, node_name: str, input_index: int, value_name: str) -> None:
        super().__init__(
            f"node '{node_name}': the output shape depends on the value of input {input_index} "
            f"('{value_name}'), which is only known at run time"
        )
        self.node_name = node_name
        self.input_index = input_index
        self.value_name = value_name


class Guard:
    """`with Guard("shape rule", node.name, node.op):` lets only clconv's errors pass.

    MemoryError becomes HostMemoryError, nesting beyond Python's limit UnsupportedError, and any other exception
    InternalError, each chained to its cause. Errors of clconv pass, with the node's name added where they name none. So
    do warnings that are errors, and what is no Exception (Ctrl-C). what: what was being done. Around a node: its name and
    operator.
    """

    __slots__ = ("_name", "_op", "_what")

    def __init__(self, what: str, name: str = "", op: str = "") -> None:
        self._what, self._name, self._op = what, name, op

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type | None, reason: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(reason, Exception) or isinstance(reason, Warning):
            return
        node = f"node '{self._name}' ({self._op})"
        if isinstance(reason, ClconvError):
            # A reference sees arrays, and does not know whose.
            if (
                self._op
                and type(reason) in (ModelError, ShapeError, InputError)
                and "node '" not in str(reason)
            ):
                raise type(reason)(f"{node}: {reason}") from reason
            return
        where = f"{node}: {self._what}" if self._op else self._what
        if isinstance(reason, MemoryError):
            raise HostMemoryError(
                f"{where}: the host has not enough memory: {reason or 'no size given'}; use a smaller "
                "input or batch"
            ) from reason
        if isinstance(reason, RecursionError):
            raise UnsupportedError(f"{where}: nested too deeply") from reason
        raise InternalError(
            f"{where} ended in {type(reason).__name__}: {reason}. This is a bug of clconv, which should have computed "
            "it or said what is wrong with the model: please report it with the model and the traceback"
        ) from reason

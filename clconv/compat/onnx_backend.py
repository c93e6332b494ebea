"""The interface of onnx.backend.base over a Session, so that ONNX's own tests and tools can run clconv.

import clconv.compat.onnx_backend as backend
outputs = backend.run_model(model, [image])
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep, namedtupledict

from clconv.api import Source, load
from clconv.errors import DeviceError, InputError, ModelError, UnsupportedError
from clconv.frontend.onnx.reading.tensors import ENUMS
from clconv.graph.ir import DType
from clconv.runtime.device import choose_device
from clconv.session.session import Session

__all__ = [
    "ClconvBackend",
    "ClconvRep",
    "is_compatible",
    "prepare",
    "run_model",
    "run_node",
    "supports_device",
]

_OUR_NAMES = {"cpu": "cpu", "cuda": "gpu", "gpu": "gpu"}


class ClconvRep(BackendRep):
    """A model on a device, ready to run many times."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The model's outputs in order, as a named tuple.

        inputs: arrays in the order of the model's inputs, or by name; one array alone for a model with
        one input. Inputs that have an initializer are constants and are not passed. Raises InputError.
        """
        if kwargs:
            raise InputError(f"run() takes no options, got {sorted(kwargs)}")
        values = self.session.run(self._feeds(inputs))
        names = list(self.session.outputs)
        result: tuple[Any, ...] = namedtupledict("Outputs", names)(*(values[n] for n in names))
        return result

    def _feeds(self, inputs: Any) -> dict[str, np.ndarray]:
        names = list(self.session.inputs)
        if isinstance(inputs, Mapping):
            return dict(inputs)
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        if len(inputs) != len(names):
            raise InputError(f"{len(inputs)} inputs given; the model takes {len(names)}: {names}")
        return dict(zip(names, inputs, strict=True))


class ClconvBackend(Backend):
    """onnx.backend.base.Backend. Every method is a class method; nothing is kept between calls."""

    @classmethod
    def is_compatible(
        cls, model: onnx.ModelProto, device: str | None = None, **kwargs: Any
    ) -> bool:
        """Whether every operator of the model is there and, where its sizes are fixed, has a kernel."""
        try:
            cls.prepare(model, device, **kwargs)
        except UnsupportedError:
            return False
        return True

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str | None = None, **kwargs: Any) -> ClconvRep:
        """Plans and, where its sizes are fixed, compiles a model.

        device: ONNX's "CPU", "CUDA" or "CUDA:1" (any GPU), whatever clconv.load takes, or None for the
        best device. Raises ModelError (UnsupportedError lists operators that are missing), DeviceError,
        InputError for options: there are none.
        """
        if kwargs:
            raise InputError(f"prepare() takes no options, got {sorted(kwargs)}")
        return ClconvRep(load(_source(model), _device(device)))

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str | None = None, **kwargs: Any
    ) -> tuple[Any, ...]:
        """prepare() and run() in one."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str | None = None,
        outputs_info: Sequence[tuple[Any, Sequence[int]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Runs one node on arrays in the order of its inputs that are not absent, or by name.

        outputs_info: (dtype, shape) of each output, where the caller knows. opset_version: by default the
        newest that the installed onnx knows.
        """
        opset = int(kwargs.pop("opset_version", onnx.defs.onnx_opset_version()))
        names = list(dict.fromkeys(n for n in node.input if n))
        if isinstance(inputs, Mapping):
            arrays = {n: np.asarray(inputs[n]) for n in names if n in inputs}
        else:
            arrays = {n: np.asarray(a) for n, a in zip(names, inputs, strict=False)}
        if len(arrays) != len(names) or len(inputs) != len(names):
            raise InputError(f"{len(inputs)} inputs given; node '{node.name}' takes {names}")
        outputs = [n for n in node.output if n]
        infos = dict(zip(outputs, outputs_info or (), strict=False))
        graph = onnx.helper.make_graph(
            [node],
            node.name or node.op_type,
            [_value(n, a.dtype, a.shape) for n, a in arrays.items()],
            [_value(n, *infos[n]) if n in infos else onnx.ValueInfoProto(name=n) for n in outputs],
        )
        model = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_operatorsetid(node.domain, opset)]
        )
        return cls.run_model(model, arrays, device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether a visible OpenCL device fits: "CPU", "CUDA" (any GPU), or what clconv.load takes."""
        try:
            choose_device(_device(device))
        except DeviceError:
            return False
        return True


def _value(name: str, dtype: Any, shape: Sequence[int]) -> onnx.ValueInfoProto:
    try:
        kind = ENUMS[DType.of(np.dtype(dtype))]
    except ValueError:
        raise UnsupportedError(
            f"'{name}' has dtype {np.dtype(dtype).name}; clconv has {', '.join(d.value for d in DType)}"
        ) from None
    return onnx.helper.make_tensor_value_info(name, kind, list(shape))


def _source(model: onnx.ModelProto | str | os.PathLike[str] | bytes) -> Source:
    if not isinstance(model, onnx.ModelProto):
        return model  # as onnxruntime.backend takes them
    try:
        return bytes(model.SerializeToString())
    except ValueError as reason:  # protobuf stops at 2 GiB
        raise ModelError(
            f"the model cannot be serialised ({reason}); load it by its path"
        ) from None


def _device(device: str | None) -> str | None:
    """ONNX's name of a device in clconv's words; its devices are types, a number behind only chooses."""
    if device is None:
        return None
    return _OUR_NAMES.get(device.lower().split(":")[0], device)


is_compatible = ClconvBackend.is_compatible
prepare = ClconvBackend.prepare
run_model = ClconvBackend.run_model
run_node = ClconvBackend.run_node
supports_device = ClconvBackend.supports_device

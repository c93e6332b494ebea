"""What is known of a value's type and shape before any input size is: declared, or inferred by onnx."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import onnx

from clconv.errors import ModelError, UnsupportedError
from clconv.frontend.onnx.calls import MAIN_DOMAIN
from clconv.frontend.onnx.native import follows_values, is_complete, keep_sound
from clconv.frontend.onnx.reading.tensors import DTYPES, dtype_of
from clconv.frontend.onnx.structure import subgraphs
from clconv.graph.ir import DType, TensorSpec

# Shape inference needs the values of small initializers (shapes, axes), not those of weights.
_SMALL = 1024


def light_copy(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with large initializers turned into inputs, so that onnx's C++ side stays cheap."""
    light = onnx.ModelProto()
    light.ir_version = max(model.ir_version, 4)  # before 4, initializers had to be inputs as well
    light.opset_import.extend(model.opset_import)
    light.functions.extend(model.functions)
    graph = light.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    inputs = {v.name for v in model.graph.input}
    for tensor in model.graph.initializer:
        elements = 1
        for d in tensor.dims:
            elements *= max(d, 0)
        external = tensor.data_location == onnx.TensorProto.EXTERNAL
        if elements <= _SMALL and not external:
            graph.initializer.append(tensor)
        elif tensor.name not in inputs:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    return light


class Declarations:
    """Ranks, shapes and dtypes of a model's values, as far as they can be known without running it."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        graph = model.graph
        self._declared = {v.name: v for v in (*graph.value_info, *graph.output, *graph.input)}

    @cached_property
    def _inferred(self) -> dict[str, onnx.ValueInfoProto]:
        graph = self._inferred_graph
        return {v.name: v for v in (*graph.value_info, *graph.output)}

    @cached_property
    def _inferred_graph(self) -> onnx.GraphProto:
        # Only models that need it pay for inference. It may fail on models that are fine otherwise (and
        # on damaged ones); then nothing more is known, and whoever needed it says so.
        light = light_copy(self._model)
        versions = [o.version for o in light.opset_import if o.domain in MAIN_DOMAIN]
        keep_sound(light.graph, max(versions, default=0))
        try:
            followed = follows_values(light.graph)
            return onnx.shape_inference.infer_shapes(light, data_prop=followed).graph
        except Exception:
            return onnx.GraphProto()

    @cached_property
    def _types(self) -> dict[str, onnx.TypeProto]:
        """Types of the values of all graphs; those of a name that means several things are left out."""
        found: dict[str, onnx.TypeProto] = {}
        twice: set[str] = set()
        graphs = [self._model.graph, self._inferred_graph]
        for graph in graphs:
            graphs += (inner for node in graph.node for inner in subgraphs(node))
            for value in (*graph.value_info, *graph.output, *graph.input):
                if is_complete(value.type):
                    known = found.setdefault(value.name, value.type)
                    if not _agree(known, value.type):
                        twice.add(value.name)
            for tensor in graph.initializer:
                found[tensor.name] = onnx.helper.make_tensor_type_proto(
                    tensor.data_type, tensor.dims
                )
        return {name: kind for name, kind in found.items() if name not in twice}

    def type_of(self, name: str) -> onnx.TypeProto | None:
        """The complete type of a value of the model or of a subgraph, None if it is not known."""
        return self._types.get(name)

    def shape(self, name: str) -> tuple[Any, ...] | None:
        """Sizes (int), names (str) or None of every axis; None if not even the rank is known."""
        for known in (self._declared, self._inferred):
            if name in known and (tensor := _tensor_type(known[name])).HasField("shape"):
                return dims_of(tensor)
        return None

    def declaration(self, name: str) -> onnx.ValueInfoProto | None:
        """Type and shape of a value as the model or onnx's inference says, None if neither does."""
        return self._declared.get(name) or self._inferred.get(name)

    def rank(self, name: str) -> int | None:
        shape = self.shape(name)
        return None if shape is None else len(shape)

    def dtype(self, name: str) -> DType | None:
        for known in (self._declared, self._inferred):
            if name in known:
                found = DTYPES.get(_tensor_type(known[name]).elem_type)
                if found is not None:
                    return found
        return None


def _agree(a: onnx.TypeProto, b: onnx.TypeProto) -> bool:
    """Whether two types have the same elements; one of them may know more of the shape."""
    kind = a.WhichOneof("value")
    if kind != b.WhichOneof("value"):
        return False
    if kind == "tensor_type":
        return a.tensor_type.elem_type == b.tensor_type.elem_type
    return kind is None or _agree(getattr(a, kind).elem_type, getattr(b, kind).elem_type)


def _tensor_type(value: onnx.ValueInfoProto) -> onnx.TypeProto.Tensor:
    return value.type.tensor_type


def dims_of(tensor: onnx.TypeProto.Tensor) -> tuple[int | str | None, ...]:
    """Sizes of a declared shape: int if fixed, the symbol's name, or None (also for negative sizes).

    Exporters of PaddlePaddle write "?" for every open size: that names nothing, and two need not agree.
    """
    dims: list[int | str | None] = []
    for d in tensor.shape.dim:
        if d.HasField("dim_value") and d.dim_value >= 0:
            dims.append(d.dim_value)
        else:
            dims.append(None if d.dim_param.strip("?* ") == "" else d.dim_param)
    return tuple(dims)


def declared_spec(value: onnx.ValueInfoProto, what: str, others: bool = False) -> TensorSpec | None:
    """Spec of a declared input or output; None if it has no shape.

    others: sequences and optional values are None, too, as they may be inside a graph.

    Raises UnsupportedError if it is no tensor or of an element type that clconv does not have,
    ModelError if it has no type.
    """
    kind = value.type.WhichOneof("value")
    if kind is None:
        raise ModelError(f"{what} '{value.name}' has no type")
    if others and kind in ("sequence_type", "optional_type"):
        return None
    if kind != "tensor_type":
        raise UnsupportedError(
            f"{what} '{value.name}' is a {kind.removesuffix('_type').replace('_', ' ')}; "
            "clconv takes and returns dense tensors"
        )
    tensor = value.type.tensor_type
    dtype = dtype_of(tensor.elem_type, f"{what} '{value.name}'")
    return TensorSpec(dims_of(tensor), dtype) if tensor.HasField("shape") else None

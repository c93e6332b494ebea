"""What crosses the edge of an ONNX graph: initializers, inputs and outputs, of a model and of a subgraph."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from clconv.errors import GraphError, UnsupportedError
from clconv.frontend.onnx.build import Builder
from clconv.frontend.onnx.declarations import declared_spec
from clconv.frontend.onnx.reading.files import Origin
from clconv.frontend.onnx.reading.packed import WIDENED, read_widened
from clconv.frontend.onnx.reading.sparse import read_sparse
from clconv.frontend.onnx.reading.tensors import dtype_of, read_constant
from clconv.graph.ir import Constant, DType, TensorSpec


class Boundary:
    """The edge of a model's graph. odd_tensors: initializers that are an error once something uses them, but for
    the operators that may read a widened one. unranked: inputs that declare no shape, by their element type. defaults:
    initializers that a run may replace, as declared."""

    sequences = False  # whether they may cross it

    def __init__(self, origin: Origin, build: Builder, ir_version: int) -> None:
        self._origin, self._build, self._ir_version = origin, build, ir_version
        self.unranked: dict[str, DType] = {}
        self.defaults: dict[str, TensorSpec] = {}
        self.odd_tensors: dict[str, UnsupportedError] = {}
        self._packed: dict[str, onnx.TensorProto] = {}
        self._widened: dict[str, str] = {}

    def outputs(self, proto: onnx.GraphProto) -> tuple[str, ...]:
        outputs = tuple(v.name for v in proto.output)
        if not outputs:
            raise GraphError(f"{self._origin.label}: the graph has no outputs")
        if len(set(outputs)) != len(outputs):
            raise GraphError(f"{self._origin.label}: an output is listed twice: {list(outputs)}")
        return outputs

    def initializers(self, proto: onnx.GraphProto, renames: Mapping[str, str]) -> None:
        for sparse in proto.sparse_initializer:
            name = self._initializer_name(sparse.values.name, renames)
            self._build.constants[name] = Constant(read_sparse(sparse, name, self._origin))
        for tensor in proto.initializer:
            name = self._initializer_name(tensor.name, renames)
            try:
                self._build.constants[name] = read_constant(tensor, name, self._origin)
            except UnsupportedError as reason:  # an error only if something uses it
                self.odd_tensors[name] = reason
                if tensor.data_type in WIDENED:
                    self._packed[name] = tensor

    def _initializer_name(self, name: str, renames: Mapping[str, str]) -> str:
        label, name = self._origin.label, renames.get(name, name)
        if not name:
            raise GraphError(f"{label}: an initializer has no name")
        if name in self._build.constants or name in self.odd_tensors:
            raise GraphError(f"{label}: initializer '{name}' is defined twice")
        return name

    def widened(self, name: str) -> str:
        """The constant that some operators may read in a tensor's place, the name itself if there is none."""
        if name in self._packed and name not in self._widened:
            self._widened[name] = self._build.values.fresh(f"{name}/widened")
            value = read_widened(self._packed[name], name, self._origin)
            self._build.constants[self._widened[name]] = value
        return self._widened.get(name, name)

    def inputs(self, proto: onnx.GraphProto) -> dict[str, TensorSpec | None]:
        found: dict[str, TensorSpec | None] = {}
        for value in proto.input:
            if not value.name:
                raise GraphError(f"{self._origin.label}: an input has no name")
            if value.name in found:
                raise GraphError(f"{self._origin.label}: input '{value.name}' is defined twice")
            if value.name in self._build.constants or value.name in self.odd_tensors:
                self._default(value)
                continue
            found[value.name] = self._input_spec(value)
        return found

    def _input_spec(self, value: onnx.ValueInfoProto) -> TensorSpec | None:
        what = f"{self._origin.label}: input"
        spec = declared_spec(value, what)
        if spec is None:
            self.unranked[value.name] = dtype_of(
                value.type.tensor_type.elem_type, f"{what} '{value.name}'"
            )
        return spec

    def _default(self, value: onnx.ValueInfoProto) -> None:
        """An initializer that is an input as well: from IR version 4 on, runs may give another value."""
        if self._ir_version < 4 or value.name not in self._build.constants:
            return
        constant = self._build.constants[value.name].spec
        declared = declared_spec(value, f"{self._origin.label}: input")
        self.defaults[value.name] = constant if declared is None else declared


class SubgraphBoundary(Boundary):
    """The edge of a subgraph. Its inputs take whatever the node feeds them: no sizes are held to be known,
    because those of carried values may change from one iteration to the next."""

    sequences = True

    def _input_spec(self, value: onnx.ValueInfoProto) -> TensorSpec | None:
        if value.type.WhichOneof("value") is not None:
            declared_spec(value, f"{self._origin.label}: input", others=True)  # refuses odd dtypes
        return None

    def outputs(self, proto: onnx.GraphProto) -> tuple[str, ...]:
        outputs: list[str] = []
        for value in proto.output:  # a carried value may be collected as well
            name = value.name
            if name in outputs:
                name = self._build.values.fresh(f"{name}/again")
                self._build.alias(value.name, name)
                value.name = name  # in this subgraph's own copy, so that its declaration goes along
            outputs.append(name)
        return tuple(outputs)

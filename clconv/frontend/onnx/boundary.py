"""What crosses the edge of an ONNX graph: initializers, inputs and outputs, of a model and of a subgraph."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from clconv.errors import GraphError, UnsupportedError
from clconv.frontend.onnx.build import Builder
from clconv.frontend.onnx.facts import declared_spec
from clconv.frontend.onnx.files import Origin
from clconv.frontend.onnx.packed import WIDENED, read_widened
from clconv.frontend.onnx.tensors import read_constant
from clconv.graph.ir import TensorSpec


class Boundary:
    """The edge of a model's graph. odd_tensors: initializers that are an error once something uses them, but for
    the operators that may read a widened one."""

    sequences = False  # whether they may cross it

    def __init__(self, origin: Origin, build: Builder) -> None:
        self._origin, self._build = origin, build
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
        label = self._origin.label
        if proto.sparse_initializer:
            raise UnsupportedError(
                f"{label}: sparse initializer '{proto.sparse_initializer[0].values.name}'; "
                "clconv has dense tensors only"
            )
        for tensor in proto.initializer:
            name = renames.get(tensor.name, tensor.name)
            if not name:
                raise GraphError(f"{label}: an initializer has no name")
            if name in self._build.constants or name in self.odd_tensors:
                raise GraphError(f"{label}: initializer '{name}' is defined twice")
            try:
                self._build.constants[name] = read_constant(tensor, name, self._origin)
            except UnsupportedError as reason:  # an error only if something uses it
                self.odd_tensors[name] = reason
                if tensor.data_type in WIDENED:
                    self._packed[name] = tensor

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
                continue  # before IR version 4 every initializer was an input, too
            found[value.name] = self._input_spec(value)
        return found

    def _input_spec(self, value: onnx.ValueInfoProto) -> TensorSpec | None:
        spec = declared_spec(value, f"{self._origin.label}: input")
        if spec is None:
            raise UnsupportedError(
                f"{self._origin.label}: input '{value.name}' declares no shape, not even how many "
                "axes it has: declare one, sizes may be symbolic"
            )
        return spec


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

"""ONNX -> canonical Graph: one walk over the nodes, each handed to its converter."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from clconv.errors import GraphError, ModelError, UnsupportedError
from clconv.frontend.onnx.attributes import read_attributes
from clconv.frontend.onnx.build import Builder, Source
from clconv.frontend.onnx.conditions import known_condition
from clconv.frontend.onnx.converters import CONVERTERS, convert_default
from clconv.frontend.onnx.facts import Facts, declared_spec
from clconv.frontend.onnx.files import Origin, read_model
from clconv.frontend.onnx.functions import MAIN_DOMAIN, expand_functions
from clconv.frontend.onnx.metadata import read_metadata, read_opset
from clconv.frontend.onnx.structure import (
    Names,
    all_nodes,
    captured,
    in_order,
    subgraphs,
    value_names,
)
from clconv.frontend.onnx.tensors import read_tensor
from clconv.frontend.onnx.unsupported import Unsupported
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import OPS
from clconv.graph.verify import verify

_BUILT_IN = {"Constant", "If"}


def import_onnx(source: str | os.PathLike[str] | bytes) -> Graph:
    """The canonical graph of an ONNX model.

    source: a path, or the bytes of a model without external data.
    Opsets 7 to the newest that the installed `onnx` knows; older ones where their operators have the
    form they had at 7. Inputs that have an initializer are constants. Specs hold the graph's inputs,
    with symbolic sizes as text and unknown ones as None. metadata: see `read_metadata`.

    Raises ModelError if the file is no readable model, GraphError if its graph breaks a rule,
    UnsupportedError listing every operator that clconv does not have.
    """
    model, origin = read_model(source)
    read_opset(model, origin)
    model = expand_functions(model, origin, supported=OPS.keys() | CONVERTERS.keys() | _BUILT_IN)
    return _Walk(model, origin).graph()


class _Walk:
    """One import: what is defined so far, and what turned out to be unsupported."""

    def __init__(self, model: onnx.ModelProto, origin: Origin) -> None:
        self._model = model
        self._origin = origin
        self._opset = read_opset(model, origin)
        taken = {n.name for n in all_nodes(model.graph)}
        self._build = Builder(Facts(model), Names(set(value_names(model.graph))), Names(taken))
        self._used_names: set[str] = set()
        self._unsupported = Unsupported()
        self._odd_tensors: dict[str, UnsupportedError] = {}
        self._first_error: ModelError | None = None
        self._count = 0

    def graph(self) -> Graph:
        proto, label = self._model.graph, self._origin.label
        self._initializers(proto, {})
        inputs = self._inputs(proto)
        self._nodes(proto.node, {*inputs, *self._build.constants, *self._odd_tensors}, {}, label)
        self._raise_what_was_found()
        outputs = tuple(v.name for v in proto.output)
        if not outputs:
            raise GraphError(f"{label}: the graph has no outputs")
        if len(set(outputs)) != len(outputs):
            raise GraphError(f"{label}: an output is listed twice: {list(outputs)}")
        needed = {n for node in self._build.nodes for n in node.inputs} | set(outputs)
        for name in needed & self._odd_tensors.keys():
            raise self._odd_tensors[name]
        return verify(
            Graph(
                proto.name or "model",
                tuple(self._build.nodes),
                tuple(inputs),
                outputs,
                inputs,
                {n: c for n, c in self._build.constants.items() if n in needed},
                read_metadata(self._model, self._origin),
            )
        )

    def _raise_what_was_found(self) -> None:
        # What is unsupported comes first: other errors may only follow from it.
        if self._unsupported:
            raise self._unsupported.error(self._origin.label)
        if self._first_error is not None:
            raise self._first_error

    def _initializers(self, proto: onnx.GraphProto, renames: Mapping[str, str]) -> None:
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
            if name in self._build.constants or name in self._odd_tensors:
                raise GraphError(f"{label}: initializer '{name}' is defined twice")
            try:
                array = read_tensor(tensor, name, self._origin)
            except UnsupportedError as reason:  # an error only if something uses it
                self._odd_tensors[name] = reason
            else:
                self._build.constants[name] = Constant(array)

    def _inputs(self, proto: onnx.GraphProto) -> dict[str, TensorSpec]:
        found: dict[str, TensorSpec] = {}
        for value in proto.input:
            if not value.name:
                raise GraphError(f"{self._origin.label}: an input has no name")
            if value.name in found:
                raise GraphError(f"{self._origin.label}: input '{value.name}' is defined twice")
            if value.name in self._build.constants or value.name in self._odd_tensors:
                continue  # before IR version 4 every initializer was an input, too
            spec = declared_spec(value, f"{self._origin.label}: input")
            if spec is None:
                raise UnsupportedError(
                    f"{self._origin.label}: input '{value.name}' declares no shape, not even how many "
                    "axes it has: declare one, sizes may be symbolic"
                )
            found[value.name] = spec
        return found

    def _nodes(
        self,
        nodes: Sequence[onnx.NodeProto],
        defined: set[str],
        renames: Mapping[str, str],
        where: str,
    ) -> None:
        """Converts the nodes of the graph, or of a branch that is known to be taken.

        renames: names inside the branch -> names in the graph. defined is added to.
        """
        for node in in_order(nodes, defined, where):
            label = self._unique_name(node)
            try:
                self._node(node, label, defined, renames)
            except UnsupportedError as reason:
                self._unsupported.add(_domain(node), node.op_type, label, str(reason))
            except ModelError as reason:
                self._first_error = self._first_error or reason
            defined.update(n for n in node.output if n)

    def _unique_name(self, node: onnx.NodeProto) -> str:
        """The node's name where it is the first of that name, else a fresh one."""
        self._count += 1
        name = node.name
        if not name or name in self._used_names:
            name = self._build.node_names.fresh(name or f"{node.op_type}_{self._count - 1}")
        self._used_names.add(name)
        return name

    def _node(
        self, node: onnx.NodeProto, name: str, defined: set[str], renames: Mapping[str, str]
    ) -> None:
        label = f"node '{name}' ({node.op_type})"
        op = node.op_type
        if _domain(node) or (op not in OPS and op not in CONVERTERS and op not in _BUILT_IN):
            self._list_with_subgraphs(node, name)
            return
        schema = _schema(op, self._opset)
        attrs = read_attributes(node, label, schema, self._origin)
        source = Source(
            op,
            name,
            _trimmed(renames.get(n, n) for n in node.input),
            _trimmed(renames.get(n, n) for n in node.output),
            attrs,
            self._opset,
        )
        _check_arity(source, schema)
        if op == "Constant":
            self._build.constants[source.output(0)] = Constant(_constant_value(source))
        elif op == "If":
            self._if(node, source, defined, renames)
        else:
            CONVERTERS.get(op, convert_default)(source, self._build)

    def _list_with_subgraphs(self, node: onnx.NodeProto, name: str, reason: str = "") -> None:
        """Notes the node, and the operators that clconv lacks inside its subgraphs."""
        self._unsupported.add(_domain(node), node.op_type, name, reason)
        for inner in subgraphs(node):
            for other in all_nodes(inner):
                op = other.op_type
                if _domain(other) or (
                    op not in OPS and op not in CONVERTERS and op not in _BUILT_IN
                ):
                    self._unsupported.add(_domain(other), op, other.name or f"{name}/{op}")

    def _if(
        self, node: onnx.NodeProto, source: Source, defined: set[str], renames: Mapping[str, str]
    ) -> None:
        """An If whose condition is known becomes the nodes of the branch that is taken."""
        condition = known_condition(source.input(0), self._build)
        if condition is None:
            self._list_with_subgraphs(node, source.name, "its condition is only known at run time")
            return
        branch = source.attrs["then_branch" if condition else "else_branch"]
        where = f"{self._origin.label}: branch of node '{source.name}'"
        if branch.input:
            raise GraphError(f"{where}: a branch has no inputs")
        if len(branch.output) < len(source.outputs):
            raise GraphError(
                f"{where}: {len(branch.output)} outputs, the node has {len(source.outputs)}"
            )
        inner = dict(renames)
        own = [t.name for t in branch.initializer]
        own += [o for n in branch.node for o in n.output if o]
        for name in own:  # both branches, and other Ifs, may use the same names
            inner[name] = self._build.values.fresh(f"{source.name}/{name}")
        self._initializers(branch, inner)
        for name in captured(branch) - defined:
            raise GraphError(f"{where} uses '{name}', which nothing defines")
        visible = defined | {t.name for t in branch.initializer}
        self._nodes(branch.node, visible, inner, where)
        for value, output in zip(branch.output, source.outputs, strict=False):
            if output:
                self._alias(inner.get(value.name, value.name), output)

    def _alias(self, name: str, output: str) -> None:
        constant = self._build.constants.get(name)
        if constant is not None:
            self._build.constants[output] = constant
        else:
            self._build.emit("Identity", (name,), (output,), self._build.node_names.fresh(output))


def _domain(node: onnx.NodeProto) -> str:
    return "" if node.domain in MAIN_DOMAIN else node.domain


def _trimmed(names) -> tuple[str, ...]:  # type: ignore[no-untyped-def]
    """Without the absent names at the end."""
    kept = list(names)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def _schema(op: str, opset: int) -> onnx.defs.OpSchema:
    try:
        return onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        first = min(
            s.since_version
            for s in onnx.defs.get_all_schemas_with_history()
            if s.name == op and s.domain == ""
        )
        raise UnsupportedError(f"opset {opset} does not have it, it came with {first}") from None


def _check_arity(source: Source, schema: onnx.defs.OpSchema) -> None:
    for what, names, least, most in (
        ("inputs", source.inputs, schema.min_input, schema.max_input),
        ("outputs", source.outputs, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            source.fail(f"{len(names)} {what}, takes {least} to {most}")
    if not source.outputs:
        source.fail("has no output")
    for index in range(min(len(source.inputs), schema.min_input)):
        # Exporters leave out the roi of Resize-11, though its schema wants it.
        if not source.inputs[index] and source.op != "Resize":
            source.fail(f"input {index} ({schema.inputs[index].name}) is missing")


def _constant_value(source: Source) -> np.ndarray:
    """The value of a Constant node in any of its forms."""
    if len(source.attrs) != 1:
        source.fail(f"must have exactly one value, has {sorted(source.attrs)}")
    form, value = next(iter(source.attrs.items()))
    if form == "value":
        return np.asarray(value)
    if form in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    if form in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    source.unsupported(f"{form}: text and sparse tensors are not supported")

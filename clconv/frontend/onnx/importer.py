"""ONNX -> canonical Graph: one walk over the nodes, each handed to its converter."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import onnx

from clconv.errors import GraphError, Guard, ModelError, UnsupportedError
from clconv.frontend.onnx.arity import check_arity, schema_of
from clconv.frontend.onnx.attributes import read_attributes
from clconv.frontend.onnx.boundary import Boundary, SubgraphBoundary
from clconv.frontend.onnx.build import Builder, Source
from clconv.frontend.onnx.calls import opset_of
from clconv.frontend.onnx.conditions import known_condition
from clconv.frontend.onnx.constant_node import constant_value
from clconv.frontend.onnx.control import subgraph_model
from clconv.frontend.onnx.converters import CONVERTERS, convert_default, training
from clconv.frontend.onnx.converters.microsoft import MICROSOFT
from clconv.frontend.onnx.converters.microsoft.schemas import SCHEMAS
from clconv.frontend.onnx.declarations import Declarations
from clconv.frontend.onnx.functions import expand_functions
from clconv.frontend.onnx.known import CONTROL, domain_of, is_extension, is_known, supported
from clconv.frontend.onnx.metadata import read_metadata, read_opset
from clconv.frontend.onnx.reading.files import File, Opened, Origin, read_model
from clconv.frontend.onnx.reading.packed import READERS
from clconv.frontend.onnx.structure import (
    Names,
    all_nodes,
    captured,
    in_order,
    subgraphs,
    value_names,
)
from clconv.frontend.onnx.unsupported import Unsupported
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.verify import verify


def import_onnx(source: File, external: Opened | None = None) -> Graph:
    """The canonical graph of an ONNX model.

    source: a path, or the bytes of a model without external data. external: takes the files beside it.
    Opsets 7 to the newest that the installed `onnx` knows; older ones where their operators have the form of 7. Inputs that have an initializer are constants. Specs hold the graph's inputs, with symbolic sizes as
    text and unknown ones as None. metadata: see `read_metadata`.

    Raises ModelError if the file is no readable model, GraphError if its graph breaks a rule,
    UnsupportedError listing every operator that clconv does not have.
    """
    with Guard("the import of the model"):
        model, origin = read_model(source, external)
        read_opset(model, origin)
        model = expand_functions(model, origin, supported=supported())
        return _Walk(model, origin).graph()


class _Walk:
    """One import: what is defined so far, and what turned out to be unsupported."""

    def __init__(
        self, model: onnx.ModelProto, origin: Origin, boundary: type[Boundary] = Boundary
    ) -> None:
        self._model = model
        self._origin = origin
        self._opset = read_opset(model, origin)
        taken = {n.name for n in all_nodes(model.graph)}
        values = Names(set(value_names(model.graph)))
        self._build = Builder(Declarations(model), values, Names(taken))
        self._used_names: set[str] = set()
        self._unsupported = Unsupported()
        self._boundary = boundary(origin, self._build, model.ir_version)
        self._first_error: ModelError | None = None
        self._count = 0

    def graph(self) -> Graph:
        """The model's graph. Raises what is unsupported before any other error: that may only follow."""
        proto, label = self._model.graph, self._origin.label
        self._boundary.initializers(proto, {})
        inputs = self._boundary.inputs(proto)
        self._nodes(
            proto.node, {*inputs, *self._build.constants, *self._boundary.odd_tensors}, {}, label
        )
        if self._unsupported:
            raise self._unsupported.error(label)
        if self._first_error is not None:
            raise self._first_error
        outputs = self._boundary.outputs(proto)
        needed = {n for node in self._build.nodes for n in node.inputs} | set(outputs)
        for name in needed & self._boundary.odd_tensors.keys():
            raise self._boundary.odd_tensors[name]
        return verify(
            Graph(
                proto.name or "model",
                tuple(self._build.nodes),
                tuple(inputs),
                outputs,
                {n: spec for n, spec in inputs.items() if spec is not None},
                {n: c for n, c in self._build.constants.items() if n in needed},
                {
                    **read_metadata(self._model, self._origin, self._boundary.sequences),
                    "unranked": self._boundary.unranked,
                    "defaults": {n: s for n, s in self._defaults().items() if n in needed},
                },
            )
        )

    def _defaults(self) -> dict[str, TensorSpec]:
        """Initializers that a run may give another value for, as nothing was decided by theirs."""
        keys = {
            self._build.constants[n].key for n in self._build.decided & self._build.constants.keys()
        }
        return {
            name: spec
            for name, spec in self._boundary.defaults.items()
            if self._build.constants[name].key not in keys
        }

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
                with Guard("its conversion", label, node.op_type):
                    self._node(node, label, defined, renames)
            except _AlreadyListed:
                pass
            except UnsupportedError as reason:
                self._unsupported.add(domain_of(node), node.op_type, label, str(reason))
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
        if not is_known(node):
            self._list_with_subgraphs(node, name)
            return
        opset = opset_of(node, self._opset)
        extension = is_extension(node, opset)
        learns = domain_of(node) == training.DOMAIN
        schema = None if extension else training.schema(op) if learns else schema_of(op, opset)
        foreign = SCHEMAS[op] if schema is None else None
        kinds = None if foreign is None else foreign.kinds
        attrs = read_attributes(node, label, schema, self._origin, kinds)
        source = Source(
            op,
            name,
            _trimmed(self._readable(op, renames.get(n, n)) for n in node.input),
            _trimmed(renames.get(n, n) for n in node.output),
            attrs,
            opset,
        )
        if foreign is not None:
            foreign.check(source)
            MICROSOFT[op](source, self._build)
            return
        assert schema is not None
        check_arity(source, schema)
        if op == "Constant":
            self._build.constants[source.output(0)] = Constant(constant_value(source))
        elif op in CONTROL:
            self._control(source, defined, renames)
        else:
            converters = training.CONVERTERS if learns else CONVERTERS
            converters.get(op, convert_default)(source, self._build)

    def _readable(self, op: str, name: str) -> str:
        return self._boundary.widened(name) if op in READERS else name

    def _list_with_subgraphs(self, node: onnx.NodeProto, name: str) -> None:
        """Notes the node, and the operators that clconv lacks inside its subgraphs."""
        self._unsupported.add(domain_of(node), node.op_type, name)
        for inner in subgraphs(node):
            for other in all_nodes(inner):
                if not is_known(other):
                    op = other.op_type
                    self._unsupported.add(domain_of(other), op, other.name or f"{name}/{op}")

    def _control(self, source: Source, defined: set[str], renames: Mapping[str, str]) -> None:
        if source.op == "If":
            condition = known_condition(source.input(0), self._build)
            if condition is not None:
                taken = source.attrs["then_branch" if condition else "else_branch"]
                return self._branch(taken, source, defined, renames)

        parts, listed = {}, False
        for name, proto in source.attrs.items():
            if isinstance(proto, onnx.GraphProto):
                where = f"{self._origin.label}: {name} of node '{source.name}'"
                try:
                    parts[name] = self._subgraph(proto, where, defined, renames)
                except _AlreadyListed:
                    listed = True
        if listed:
            raise _AlreadyListed
        CONTROL[source.op](source, self._build, parts)

    def _subgraph(
        self, proto: onnx.GraphProto, where: str, defined: set[str], renames: Mapping[str, str]
    ) -> tuple[Graph, tuple[str, ...]]:
        """A subgraph as a Graph of its own, and the values that it takes from this one.

        Those are its last inputs. Constants it uses become its own, sharing their copies on a device.
        """
        taken = sorted(captured(proto))
        for name in taken:
            if name not in defined:
                raise GraphError(f"{where} uses '{name}', which nothing defines")
        outside = {n: renames.get(n, n) for n in taken}
        for name in outside.values():
            if name in self._boundary.odd_tensors:
                raise self._boundary.odd_tensors[name]
        constants = {n: c for n, o in outside.items() if (c := self._build.constants.get(o))}
        self._build.decided.update(outside[n] for n in constants)  # the subgraph's own from here on
        taken = [n for n in taken if n not in constants]
        walk = _Walk(
            subgraph_model(
                self._model,
                proto,
                {n: self._build.declarations.declaration(outside[n]) for n in taken},
            ),
            dataclasses.replace(self._origin, label=where, weights={}),
            SubgraphBoundary,
        )
        walk._build.constants.update(constants)
        try:
            graph = walk.graph()
        except UnsupportedError:
            if not walk._unsupported:
                raise
            self._unsupported.merge(walk._unsupported)
            raise _AlreadyListed from None
        return graph, tuple(outside[n] for n in taken)

    def _branch(
        self,
        branch: onnx.GraphProto,
        source: Source,
        defined: set[str],
        renames: Mapping[str, str],
    ) -> None:
        """An If whose condition is known becomes the nodes of the branch that is taken."""
        where = f"{self._origin.label}: branch of node '{source.name}'"
        if branch.input:
            raise GraphError(f"{where}: a branch has no inputs")
        if len(branch.output) < len(source.outputs):
            raise GraphError(
                f"{where}: {len(branch.output)} outputs, the node has {len(source.outputs)}"
            )
        inner = dict(renames)
        own = [t.name for t in branch.initializer]
        own += [t.values.name for t in branch.sparse_initializer]
        own += [o for n in branch.node for o in n.output if o]
        for name in own:  # both branches, and other Ifs, may use the same names
            inner[name] = self._build.values.fresh(f"{source.name}/{name}")
        self._boundary.initializers(branch, inner)
        for name in captured(branch) - defined:
            raise GraphError(f"{where} uses '{name}', which nothing defines")
        visible = defined | {t.name for t in branch.initializer}
        visible |= {t.values.name for t in branch.sparse_initializer}
        self._nodes(branch.node, visible, inner, where)
        for value, output in zip(branch.output, source.outputs, strict=False):
            if output:
                self._build.alias(inner.get(value.name, value.name), output)


class _AlreadyListed(UnsupportedError):
    """What a node's subgraph lacks is in the list already."""


def _trimmed(names) -> tuple[str, ...]:  # type: ignore[no-untyped-def]
    """Without the absent names at the end."""
    kept = list(names)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)

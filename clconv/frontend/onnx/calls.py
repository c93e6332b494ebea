"""Calls of functions become the functions' nodes, with names of their own and the caller's attributes."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Mapping, Sequence

import onnx

from clconv.errors import GraphError, UnsupportedError
from clconv.frontend.onnx.structure import Names, all_nodes, captured, graphs_of, subgraphs
from clconv.records import record

MAIN_DOMAIN = ("", "ai.onnx")
Key = tuple[str, str, str]  # domain, name, overload

# What calls may grow to. Each may call the next twice: a few lines would become millions of nodes.
MOST_NODES = 1 << 15
MOST_BYTES = 1 << 28
_DEEPEST = 64  # graphs inside graphs: a file cannot hold half as many, and readers of it recurse
_LONGEST = 200  # characters of a name that the names of a call's values begin with

_OPSET = "clconv.opset"  # what a node is marked with whose form is not that of the model's opset


@record(frozen=True)
class LocalFunction:
    """What a call becomes. defaults: attributes that a caller need not give. opset: that of its nodes."""

    proto: onnx.FunctionProto
    defaults: Mapping[str, onnx.AttributeProto]
    opset: int

    @classmethod
    def local(cls, proto: onnx.FunctionProto, opset: int) -> LocalFunction:
        """A model's own function. opset: the model's, for functions that name none."""
        versions = [o.version for o in proto.opset_import if o.domain in MAIN_DOMAIN]
        return cls(proto, {a.name: a for a in proto.attribute_proto}, max(versions, default=opset))


FunctionOf = Callable[[onnx.NodeProto], LocalFunction | None]


def nodes_of(function: onnx.FunctionProto) -> Iterator[onnx.NodeProto]:
    """Every node of a function, also those of subgraphs at any depth."""
    for node in function.node:
        yield node
        for inner in subgraphs(node):
            yield from all_nodes(inner)


def key_of(item: onnx.NodeProto | onnx.FunctionProto) -> Key:
    """What a call and its function have in common."""
    name = item.op_type if isinstance(item, onnx.NodeProto) else item.name
    return "" if item.domain in MAIN_DOMAIN else item.domain, name, item.overload


def opset_of(node: onnx.NodeProto, opset: int) -> int:
    """The opset that a node is written in: the model's, or that of the function it came from."""
    for entry in node.metadata_props:
        if entry.key == _OPSET and entry.value.isdecimal():
            return min(int(entry.value[:9]), onnx.defs.onnx_opset_version())
    return opset


def is_of_another_opset(node: onnx.NodeProto) -> bool:
    return any(entry.key == _OPSET for entry in node.metadata_props)


class Budget:
    """What may be added to a model. Raises UnsupportedError where that is too much."""

    def __init__(self, label: str) -> None:
        self._label, self._nodes, self._bytes = label, 0, 0

    def take(self, nodes: int, nbytes: int, what: str) -> None:
        self._nodes += nodes
        self._bytes += nbytes
        if self._nodes > MOST_NODES or self._bytes > MOST_BYTES:
            raise self.error(f"{what} makes more than {MOST_NODES:,} nodes or {MOST_BYTES:,} bytes")

    def error(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"{self._label}: with every call of a function written out, {what}: call them less often, or export "
            "the model without functions"
        )


def write_out(
    graph: onnx.GraphProto,
    opset: int,
    names: Names,
    budget: Budget,
    function_of: FunctionOf,
    depth: int = 0,
) -> None:
    """Replaces every call in a graph and in its subgraphs, those that functions bring along as well.

    opset: the model's. names: to which those of the new values and nodes are added.
    """
    if depth > _DEEPEST:
        raise budget.error(f"graphs lie in graphs more than {_DEEPEST} deep")
    pending = collections.deque(graph.node)
    written = []
    while pending:
        node = pending.popleft()
        for inner in subgraphs(
            node
        ):  # before a definition takes them over: types are known by their names
            write_out(inner, opset, names, budget, function_of, depth + 1)
        function = function_of(node)
        if function is None:
            written.append(node)
            continue
        copy = _Copy(function, node, opset, names)
        budget.take(*copy.cost(), f"function {function.proto.domain}.{function.proto.name}")
        pending.extendleft(reversed(copy.nodes()))
    del graph.node[:]
    graph.node.extend(written)


class _Copy:
    """The nodes of one call."""

    def __init__(
        self, function: LocalFunction, call: onnx.NodeProto, opset: int, names: Names
    ) -> None:
        self._function, self._call, self._fresh = function, call, names.fresh
        self._label = (call.name or call.op_type)[:_LONGEST]
        self._opset = opset
        # What a graph that is an attribute of the call takes from around it, the function may name as well.
        self._around = {n for graph in subgraphs(call) for n in captured(graph)}
        self._given = {**function.defaults, **{a.name: a for a in call.attribute}}

    def cost(self) -> tuple[int, int]:
        """How many nodes and bytes the call becomes."""
        count, nbytes = 0, self._function.proto.ByteSize()
        for node in nodes_of(self._function.proto):
            count += 1
            for attribute in node.attribute:
                given = (
                    self._given.get(attribute.ref_attr_name) if attribute.ref_attr_name else None
                )
                if given is not None:
                    nbytes += given.ByteSize()
                    count += sum(1 for graph in graphs_of(given) for _ in all_nodes(graph))
        return count, nbytes

    def nodes(self) -> list[onnx.NodeProto]:
        """The call's nodes. Raises GraphError where the call or the function breaks a rule."""
        proto, call = self._function.proto, self._call
        if len(call.input) > len(proto.input) or len(call.output) > len(proto.output):
            raise GraphError(
                f"node '{self._label}' ({call.op_type}): {len(call.input)} inputs and {len(call.output)} outputs, "
                f"its function takes {len(proto.input)} and makes {len(proto.output)}"
            )
        names = dict.fromkeys(("", *proto.input), "")
        names.update(zip(proto.input, call.input, strict=False))
        handed_on = []
        for inside, outside in zip(proto.output, call.output, strict=False):
            if outside and inside in names:  # an input, or an output that is listed twice
                handed_on.append((inside, outside))
            elif outside:
                names[inside] = outside
        written = self._copied(proto.node, names)
        for inside, outside in handed_on:
            copy = onnx.NodeProto(op_type="Identity", name=self._fresh(f"{self._label}/{inside}"))
            copy.input.append(names[inside])
            copy.output.append(outside)
            written.append(copy)
        return written

    def _copied(
        self, nodes: Sequence[onnx.NodeProto], names: dict[str, str]
    ) -> list[onnx.NodeProto]:
        """The nodes under the names of the graph; names is added to."""
        for node in nodes:
            for name in node.output:
                if name not in names:
                    names[name] = self._fresh(f"{self._label}/{name}")
        return [self._node(node, names) for node in nodes]

    def _node(self, node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
        copy = onnx.NodeProto(op_type=node.op_type, domain=node.domain, overload=node.overload)
        copy.name = self._fresh(f"{self._label}/{node.name or node.op_type}")
        copy.input.extend(self._name(n, names) for n in node.input)
        copy.output.extend(names[n] for n in node.output)
        for attribute in node.attribute:
            self._bind(copy, attribute, names)
        opset = self._function.opset
        if node.domain in MAIN_DOMAIN and not _same_form(node.op_type, opset, self._opset):
            copy.metadata_props.add(key=_OPSET, value=str(opset))
        return copy

    def _bind(
        self, copy: onnx.NodeProto, attribute: onnx.AttributeProto, names: Mapping[str, str]
    ) -> None:
        """Adds an attribute of the function's; a reference to an attribute that the caller does not give counts as absent."""
        refers = attribute.ref_attr_name
        source = self._given.get(refers) if refers else attribute
        if source is None:
            return
        bound = copy.attribute.add()
        bound.CopyFrom(source)
        bound.name = attribute.name
        if not refers or source is self._function.defaults.get(refers):  # not the caller's graphs
            for inner in graphs_of(bound):
                self._rename(inner, dict(names))

    def _name(self, name: str, names: Mapping[str, str]) -> str:
        found = names.get(name, name if name in self._around else None)
        if found is None:
            function = self._function.proto
            raise GraphError(
                f"function {function.domain}.{function.name} uses '{name}', which nothing in it defines"
            )
        return found

    def _rename(self, graph: onnx.GraphProto, names: dict[str, str]) -> None:
        """A subgraph of the function: what it defines gets names of its own, attributes get their values."""
        own = [v.name for v in graph.input] + [t.name for t in graph.initializer]
        own += [t.values.name for t in graph.sparse_initializer]
        own += [o for node in graph.node for o in node.output if o]
        names.update((name, self._fresh(f"{self._label}/{name}")) for name in own)
        for value in (*graph.input, *graph.output):
            value.name = self._name(value.name, names)
        del graph.value_info[:]  # sizes of one call are not those of another
        for tensor in graph.initializer:
            tensor.name = names[tensor.name]
        for sparse in graph.sparse_initializer:
            sparse.values.name = names[sparse.values.name]
        nodes = [self._node(node, names) for node in graph.node]
        del graph.node[:]
        graph.node.extend(nodes)


def _same_form(op: str, opset: int, other: int) -> bool:
    if opset == other:
        return True
    try:
        return (
            onnx.defs.get_schema(op, opset, "").since_version
            == onnx.defs.get_schema(op, other, "").since_version
        )
    except onnx.defs.SchemaError:
        return False

"""If, Loop and Scan -> ONNX: subgraphs take what they use from outside by its name again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import onnx
from onnx import helper

from clconv.errors import UnsupportedError
from clconv.frontend.onnx.export.unfold import unfolded
from clconv.frontend.onnx.reading.tensors import ENUMS, write_tensor
from clconv.frontend.onnx.structure import Names
from clconv.graph.ir import DType, Graph, Node, TensorSpec
from clconv.graph.ops import make_node

WriteNode = Callable[[Node], onnx.NodeProto]

# Attributes that ONNX does not have: they follow from the inputs.
_OWN = {"Loop": ("carried",), "Scan": ("states", "batched")}


def inner_nodes(node: Node) -> list[Node]:
    """The nodes of all subgraphs of a node, as ONNX can say them; not those inside them again."""
    graphs = [value for value in node.attrs.values() if isinstance(value, Graph)]
    return [inner for graph in graphs for inner in unfolded(graph)[0]]


def write_control(node: Node, names: Names, write: WriteNode) -> onnx.NodeProto:
    """The node with its subgraphs. names: those of the whole model, to which the subgraphs' are added.

    Raises UnsupportedError for the Scan of opset 8.
    """
    at = node.attrs
    if node.op == "Scan" and at.batched:
        raise UnsupportedError(f"node '{node.name}' (Scan): the form of opset 8 cannot be exported")
    inputs = node.inputs
    graphs: dict[str, onnx.GraphProto] = {}
    if node.op == "If":
        split = 1 + len(at.then_branch.inputs)
        for name, outside in (("then_branch", inputs[1:split]), ("else_branch", inputs[split:])):
            graphs[name] = _subgraph(at[name], outside, node, names, write)
        inputs = inputs[:1]
    else:
        own = 2 + at.carried if node.op == "Loop" else at.states + at.num_scan_inputs
        graphs["body"] = _subgraph(at.body, inputs[own:], node, names, write)
        inputs = inputs[:own]
    proto = onnx.NodeProto(op_type=node.op, name=node.name, input=inputs, output=node.outputs)
    for name, value in at.items():
        if name in graphs:
            proto.attribute.append(helper.make_attribute(name, graphs[name]))
        elif name not in _OWN.get(node.op, ()) and value != ():
            proto.attribute.append(helper.make_attribute(name, value))
    return proto


def _subgraph(
    body: Graph, outside: Sequence[str], node: Node, names: Names, write: WriteNode
) -> onnx.GraphProto:
    nodes, extra = unfolded(body)
    own = body.inputs[: len(body.inputs) - len(outside)]
    known = {"": "", **dict(zip(body.inputs[len(own) :], outside, strict=True))}

    def fresh(name: str) -> str:
        return names.fresh(f"{node.name}/{name}")

    known.update((name, fresh(name)) for name in own)
    used = {n for inner in nodes for n in inner.inputs} | set(body.outputs)
    constants = {n: c for n, c in {**body.constants, **extra}.items() if n in used}
    known.update((name, fresh(name)) for name in constants)
    written = []
    made: set[str] = set()
    for inner in nodes:
        known.update((name, fresh(name)) for name in inner.outputs if name)
        made.update(inner.outputs)
        renamed = dataclasses.replace(
            inner,
            name=fresh(inner.name),
            inputs=tuple(known[n] for n in inner.inputs),
            outputs=tuple(known[n] for n in inner.outputs),
        )
        written.append(write(renamed))
    outputs = []
    for name in body.outputs:
        output = known[name]
        if (
            name not in made or output in outputs
        ):  # a subgraph's own nodes make its outputs, each once
            output = fresh(f"{name}/result")
            written.append(write(make_node("Identity", (known[name],), (output,), output)))
        outputs.append(output)
    # Iteration and condition of a Loop; the types of other inputs follow from what the node is given.
    counters = (
        (TensorSpec((), DType.INT64), TensorSpec((), DType.BOOL)) if node.op == "Loop" else ()
    )
    declared: Mapping[str, TensorSpec] = body.metadata.get("output_specs", {})
    return helper.make_graph(
        written,
        body.name or "subgraph",
        [
            _declaration(known[name], spec)
            for name, spec in zip(own, (*counters, *(None for _ in own)), strict=False)
        ],
        [_declaration(o, declared.get(n)) for n, o in zip(body.outputs, outputs, strict=True)],
        [write_tensor(c.array, known[n]) for n, c in constants.items()],
    )


def _declaration(name: str, spec: TensorSpec | None) -> onnx.ValueInfoProto:
    if spec is None:
        return helper.make_empty_tensor_value_info(name)
    return helper.make_tensor_value_info(name, ENUMS[spec.dtype], list(spec.shape))

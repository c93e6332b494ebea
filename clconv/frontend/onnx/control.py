"""If, Loop and Scan: subgraphs become Graphs, what they take from outside becomes inputs of the node."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from clconv.frontend.onnx.build import Builder, Source
from clconv.graph.ir import Graph

# Name of the attribute -> the subgraph, and the values around it that are its last inputs.
Subgraphs = Mapping[str, tuple[Graph, tuple[str, ...]]]


def subgraph_model(
    model: onnx.ModelProto,
    proto: onnx.GraphProto,
    taken: Mapping[str, onnx.ValueInfoProto | None],
) -> onnx.ModelProto:
    """A model of its own for a subgraph: what it takes from outside becomes its last inputs, declared as
    far as the model around it knows them."""
    inner = onnx.ModelProto()
    inner.ir_version = max(model.ir_version, 4)
    inner.opset_import.extend(model.opset_import)
    inner.graph.CopyFrom(proto)
    for name, known in taken.items():
        value = onnx.ValueInfoProto()
        if known is not None:
            value.CopyFrom(known)
        value.name = name
        inner.graph.input.append(value)
    return inner


def convert_if(source: Source, build: Builder, subgraphs: Subgraphs) -> None:
    """An If whose condition is known only when the sizes are, or only at run time."""
    branches = {}
    inputs = [source.input(0)]
    for name in ("then_branch", "else_branch"):
        branches[name], taken = subgraphs[name]
        inputs += taken
        graph = branches[name]
        if len(graph.inputs) != len(taken):
            source.fail(f"{name} has inputs of its own, a branch has none")
        if len(graph.outputs) < len(source.outputs):
            source.fail(
                f"{name} has {len(graph.outputs)} outputs, the node has {len(source.outputs)}"
            )
    build.emit("If", inputs, source.outputs, source.name, branches)


def convert_loop(source: Source, build: Builder, subgraphs: Subgraphs) -> None:
    """A Loop; absent trip count and condition stay absent."""
    body, taken = subgraphs["body"]
    carried = max(len(source.inputs) - 2, 0)
    own = len(body.inputs) - len(taken)
    if own != carried + 2 or len(body.outputs) < carried + 1:
        source.fail(
            f"its body has {own} inputs and {len(body.outputs)} outputs; {carried} carried values need "
            f"{carried + 2} inputs and at least {carried + 1} outputs"
        )
    if len(source.outputs) > len(body.outputs) - 1:
        source.fail(f"{len(source.outputs)} outputs, its body makes {len(body.outputs) - 1}")
    inputs = (source.input(0), source.input(1), *source.inputs[2:], *taken)
    attrs = {"body": body, "carried": carried}
    build.emit("Loop", inputs, source.outputs, source.name, attrs)


def convert_scan(source: Source, build: Builder, subgraphs: Subgraphs) -> None:
    """A Scan; that of opset 8 runs once for each index of a first axis, which is the batch."""
    batched = source.opset < 9
    if batched and source.input(0):
        source.unsupported("sequence_lens, which Scan had in opset 8 only")
    inputs = source.inputs[1:] if batched else source.inputs
    body, taken = subgraphs["body"]
    scanned = source.attrs["num_scan_inputs"]
    states = len(inputs) - scanned
    own = len(body.inputs) - len(taken)
    made = len(body.outputs) - states
    if scanned < 1 or states < 0 or own != len(inputs) or made < 0:
        source.fail(
            f"{len(inputs)} inputs, {scanned} of them scanned, and a body with {own} inputs and "
            f"{len(body.outputs)} outputs do not fit"
        )
    if len(source.outputs) > len(body.outputs):
        source.fail(f"{len(source.outputs)} outputs, its body makes {len(body.outputs)}")
    attrs = {k: v for k, v in source.attrs.items() if k not in ("body", "directions")}
    if source.attrs.get("directions"):
        attrs["scan_input_directions"] = source.attrs["directions"]
    for name, wanted in (("input", scanned), ("output", made)):
        for what in ("axes", "directions"):
            given = attrs.get(f"scan_{name}_{what}", ())
            if given and len(given) != wanted:
                source.fail(f"scan_{name}_{what} has {len(given)} entries, needs {wanted}")
    attrs.update(body=body, states=states, batched=int(batched))
    build.emit("Scan", (*inputs, *taken), source.outputs, source.name, attrs)

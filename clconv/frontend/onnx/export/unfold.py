"""What passes fold into a node, unfolded again: epilogue steps, padding modes and quantisation as nodes."""

from __future__ import annotations

import dataclasses

import numpy as np

from clconv.errors import UnsupportedError
from clconv.frontend.onnx.structure import Names
from clconv.graph.epilogue import without_epilogue
from clconv.graph.ir import Constant, Graph, Node
from clconv.graph.ops import make_node
from clconv.graph.ops.pool.pool import window_counts


def unfolded(graph: Graph) -> tuple[list[Node], dict[str, Constant]]:
    """Nodes that plain ONNX can say, in order, and the constants they need besides the graph's.

    Raises UnsupportedError for a padding mode that has no Pad node yet (auto_pad) or none at all
    (pooling with indices).
    """
    taken = {*graph.inputs, *graph.constants, *graph.outputs, *(n.name for n in graph.nodes)}
    for node in graph.nodes:
        taken.update((*node.inputs, *node.outputs))
    names = Names(taken)
    nodes: list[Node] = []
    constants: dict[str, Constant] = {}
    for node in graph.nodes:
        cut: list[Node] = []
        if node.attrs.get("pad_mode", "constant") != "constant":
            kept = _fewer_windows(node, graph)
            node = _unfold_pads(node, names, nodes, constants)
            if kept is not None:
                node, cut = _cut_windows(node, kept, names, constants)
        nodes += without_epilogue(node, names.fresh)
        nodes += cut
    return [n for node in nodes for n in _unfold_quantised(node, names, constants)], constants


def _unfold_pads(
    node: Node, names: Names, nodes: list[Node], constants: dict[str, Constant]
) -> Node:
    """Adds the Pad node and returns the node without padding."""
    at = node.attrs
    if at.get("auto_pad", "NOTSET") != "NOTSET":
        raise UnsupportedError(
            f"node '{node.name}' ({node.op}): auto_pad {at.auto_pad} with pad_mode {at.pad_mode} is not "
            "known in pixels yet; specialise the graph for given input shapes first"
        )
    if any(node.outputs[1:]):
        raise UnsupportedError(
            f"node '{node.name}' ({node.op}): indices of {at.pad_mode} padded pixels have no ONNX form"
        )
    if not any(at.pads):
        return dataclasses.replace(node, attrs=at.replace(pad_mode="constant"))
    spatial = len(at.pads) // 2
    widths = (0, 0, *at.pads[:spatial], 0, 0, *at.pads[spatial:])
    pads, padded = names.fresh(f"{node.name}/pads"), names.fresh(f"{node.name}/padded")
    constants[pads] = Constant(np.array(widths, np.int64))
    pad = make_node(
        "Pad", (node.inputs[0], pads), (padded,), names.fresh(f"{node.name}/pad"), mode=at.pad_mode
    )
    nodes.append(pad)
    plain = at.replace(pad_mode="constant", pads=(0,) * len(at.pads))
    return dataclasses.replace(node, inputs=(padded, *node.inputs[1:]), attrs=plain)


def _fewer_windows(node: Node, graph: Graph) -> tuple[int, ...] | None:
    """Windows of a pooling under ceil_mode if it would have more behind a Pad node: one more may start in what is pixels
    then. Raises UnsupportedError where that is unknown or cannot be expressed."""
    at = node.attrs
    spatial = len(at.pads) // 2
    if not at.get("ceil_mode") or not any(at.pads[spatial:]):
        return None
    spec = graph.specs.get(node.inputs[0])
    sizes = tuple(d for d in (spec.shape[2:] if spec else ()) if isinstance(d, int))
    if len(sizes) != spatial:
        raise UnsupportedError(
            f"node '{node.name}' ({node.op}): how many windows ceil_mode has with pad_mode {at.pad_mode} depends on the "
            "size; specialise the graph for given input shapes first"
        )
    padded = [s + at.pads[i] + at.pads[i + spatial] for i, s in enumerate(sizes)]
    counts = window_counts(at, sizes)
    if counts == window_counts(at.replace(pads=(0,) * len(at.pads)), padded):
        return None
    if node.epilogue:
        raise UnsupportedError(
            f"node '{node.name}' ({node.op}): ceil_mode with pad_mode {at.pad_mode} has fewer windows than ONNX can say "
            "in front of fused steps; export the graph as it was before the passes"
        )
    return counts


def _cut_windows(
    node: Node, counts: tuple[int, ...], names: Names, constants: dict[str, Constant]
) -> tuple[Node, list[Node]]:
    """The node with another output, and a Slice that keeps so many windows of it."""
    given = {"starts": [0] * len(counts), "ends": counts, "axes": range(2, 2 + len(counts))}
    operands = []
    for what, values in given.items():
        operands.append(names.fresh(f"{node.name}/{what}"))
        constants[operands[-1]] = Constant(np.array(list(values), np.int64))
    all_windows = names.fresh(f"{node.outputs[0]}/all")
    slice_name = names.fresh(f"{node.name}/slice")
    cut = make_node("Slice", (all_windows, *operands), (node.outputs[0],), slice_name)
    return dataclasses.replace(node, outputs=(all_windows, *node.outputs[1:])), [cut]


def _unfold_quantised(node: Node, names: Names, constants: dict[str, Constant]) -> list[Node]:
    """The node; FakeQuantize, which ONNX does not have, as min(max(round(x / scale), low - zero), high - zero) * scale:
    ONNX's own operators take zero points that are integers."""
    if node.op != "FakeQuantize":
        return [node]
    x, scale, zero = node.inputs
    made: list[Node] = []

    def step(op: str, *inputs: str, out: str = "") -> str:
        result = out or names.fresh(f"{node.name}/{op}")
        made.append(make_node(op, inputs, (result,), names.fresh(f"{node.name}/{op}")))
        return result

    def bound(end: str) -> str:
        number = names.fresh(f"{node.name}/{end}")
        constants[number] = Constant(np.float32(node.attrs[end]))
        return step("Sub", number, zero)

    steps = step("Round", step("Div", x, scale))
    least = bound("low")
    known = step("Where", step("IsNaN", steps), least, steps)  # NaN is the least value there
    kept = step("Min", step("Max", known, least), bound("high"))
    step("Mul", kept, scale, out=node.outputs[0])
    return made

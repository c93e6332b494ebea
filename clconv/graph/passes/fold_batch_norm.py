"""BatchNormalization with constant statistics becomes part of the convolution before it.

y = (x - mean) * scale / sqrt(variance + epsilon) + shift is linear in x (Ioffe and Szegedy 2015),
so it goes into the weights and bias; where there is no such node, it becomes a Mul and an Add.
"""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes.editor import Editor, inherit
from clconv.graph.passes.facts import gather_facts
from clconv.graph.passes.linear import linear_behind, rescale


def fold_batch_norm(graph: Graph) -> Graph:
    """The graph without BatchNormalization nodes of constant statistics and known rank."""
    if not any(node.op == "BatchNormalization" for node in graph.nodes):
        return graph
    editor = Editor(graph)
    facts = gather_facts(graph)
    for position, node in enumerate(graph.nodes):
        if node.op != "BatchNormalization" or any(node.outputs[1:]):
            continue
        if node.attrs.get("training_mode"):
            continue
        found = _scale_and_shift(editor, node)
        if found is None:
            continue
        scale, shift = found
        linear = linear_behind(editor, node.inputs[0])
        if linear is not None and linear.channels == scale.size:
            if not rescale(editor, linear, position, scale, shift):
                continue
        elif (known := facts.get(node.inputs[0])) is not None:
            _as_mul_and_add(editor, position, node, known, scale, shift)
    return editor.result()


def _scale_and_shift(editor: Editor, node: Node) -> tuple[np.ndarray, np.ndarray] | None:
    arrays = [editor.array(n) for n in node.op_inputs[1:5]]
    if len(arrays) != 4 or any(a is None for a in arrays):
        return None
    gamma, beta, mean, variance = (np.asarray(a, np.float64).reshape(-1) for a in arrays)
    if not gamma.size == beta.size == mean.size == variance.size:
        return None
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + node.attrs.epsilon)
        shift = beta - mean * scale
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        return None
    return scale, shift


def _as_mul_and_add(
    editor: Editor,
    position: int,
    node: Node,
    known: TensorSpec,
    scale: np.ndarray,
    shift: np.ndarray,
) -> None:
    result = node.outputs[0]
    shape = (1, -1, *[1] * (known.rank - 2))
    scaled = editor.fresh(f"{result}/scaled")
    factors = editor.constant(f"{result}/scale", scale.astype(known.dtype.numpy).reshape(shape))
    shifts = editor.constant(f"{result}/shift", shift.astype(known.dtype.numpy).reshape(shape))
    multiply = make_node("Mul", [node.inputs[0], factors], [scaled], f"{node.name}/scale")
    add = make_node("Add", [scaled, shifts], [result], node.name)
    editor.insert_before(position, multiply)
    editor.put(position, inherit(add, node))

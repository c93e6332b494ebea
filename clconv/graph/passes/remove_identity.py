"""Nodes that hand their input on unchanged go."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.passes.editor import Editor
from clconv.graph.passes.facts import gather_facts
from clconv.graph.rules.known import cast_target, permutation

Facts = Mapping[str, TensorSpec]
FAR = 2**31 - 1  # Slice's way to say "to the end"


def remove_identity(graph: Graph) -> Graph:
    """The graph without identities. The names of its outputs stay.

    Where a graph input is handed straight to an output, an Identity remains to make the copy.
    """
    if not any(node.op in _RULES for node in graph.nodes):
        return graph
    editor = Editor(graph)
    facts = gather_facts(graph)
    for position, node in enumerate(graph.nodes):
        current = editor.nodes[position]
        rule = _RULES.get(node.op)
        if current is None or rule is None or current.epilogue or any(node.outputs[1:]):
            continue
        # Facts go by the original names; what replaced a value has the same shape and dtype.
        if rule(editor, node, facts):
            editor.bypass(position)
    return editor.result()


def _always(editor: Editor, node: Node, facts: Facts) -> bool:
    return True


def _single(editor: Editor, node: Node, facts: Facts) -> bool:
    return len(node.op_inputs) == 1


def _dropout(editor: Editor, node: Node, facts: Facts) -> bool:
    training = node.inputs[2] if len(node.inputs) > 2 else ""
    return not training or editor.scalar(training) == 0


def _cast(editor: Editor, node: Node, facts: Facts) -> bool:
    known = facts.get(node.inputs[0])
    return known is not None and known.dtype is cast_target(node.attrs.get("to"))


def _same_shape(editor: Editor, node: Node, facts: Facts) -> bool:
    before, after = facts.get(node.inputs[0]), facts.get(node.outputs[0])
    if before is None or after is None or before.dtype is not after.dtype:
        return False
    return before.shape == after.shape and before.is_static


def _transpose(editor: Editor, node: Node, facts: Facts) -> bool:
    perm = permutation(node, facts.get(node.inputs[0]))
    return perm is not None and perm == tuple(range(len(perm)))


def _pad(editor: Editor, node: Node, facts: Facts) -> bool:
    pads = editor.ints(node.inputs[1])
    known = facts.get(node.inputs[0])
    plain = len(node.inputs) > 3 or known is None or pads is None or len(pads) == 2 * known.rank
    return plain and pads is not None and not any(pads)


def _slice(editor: Editor, node: Node, facts: Facts) -> bool:
    present = len(node.inputs) > 4 and node.inputs[4]
    steps = editor.ints(node.inputs[4]) if present else (1,)
    if steps is None or min(steps, default=1) < 1:
        return False
    if _same_shape(editor, node, facts):
        return True
    starts, ends = editor.ints(node.inputs[1]), editor.ints(node.inputs[2])
    if starts is None or ends is None:
        return False
    return not any(starts) and set(steps) <= {1} and min(ends, default=FAR) >= FAR


_RULES: dict[str, Callable[[Editor, Node, Facts], bool]] = {
    "Identity": _always,
    "Dropout": _dropout,
    "Cast": _cast,
    "Reshape": _same_shape,
    "Flatten": _same_shape,
    "Squeeze": _same_shape,
    "Unsqueeze": _same_shape,
    "Expand": _same_shape,
    "Tile": _same_shape,
    "Transpose": _transpose,
    "Pad": _pad,
    "Slice": _slice,
    "Concat": _single,
    "Sum": _single,
    "Max": _single,
    "Min": _single,
    "Mean": _single,
}

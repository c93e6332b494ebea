"""One max pooling for the way forward and the way back: a MaxPool gives the taps that its gradient asks for.

The gradient's rule writes a MaxPoolWithTaps of its own (rules/gradient/pool/pool.py); here it takes the place of the MaxPool
that sees the same windows of the same image.
"""

from __future__ import annotations

import dataclasses

from clconv.graph.ir import Graph, Node
from clconv.graph.passes.editor import Editor


def share_taps(graph: Graph) -> Graph:
    """The graph with each MaxPoolWithTaps in the place of the MaxPool like it, which it then is as well."""
    if not any(node.op == "MaxPoolWithTaps" for node in graph.nodes):
        return graph
    editor = Editor(graph)
    first: dict[tuple[object, ...], int] = {}
    for position, node in enumerate(graph.nodes):
        if node.op == "MaxPool" and not (node.epilogue or any(node.outputs[1:])):
            first.setdefault(_windows(node), position)
        if node.op != "MaxPoolWithTaps" or node.outputs[0] in editor.outputs:
            continue
        place = first.get(_windows(node))
        if place is None:
            first[_windows(node)] = position
            continue
        pooled = editor.nodes[place]
        assert pooled is not None
        if pooled.op == "MaxPoolWithTaps" and node.outputs[1] in editor.outputs:
            continue
        editor.drop(position)
        if pooled.op == "MaxPool":
            outputs = (pooled.outputs[0], node.outputs[1])
            editor.put(place, dataclasses.replace(node, name=pooled.name, outputs=outputs))
        else:
            editor.substitute(node.outputs[1], pooled.outputs[1])
        editor.substitute(node.outputs[0], pooled.outputs[0])
    return editor.result()


def _windows(node: Node) -> tuple[object, ...]:
    """What two poolings have in common that give the same."""
    at = node.attrs
    return (
        node.inputs[0],
        *(at[k] for k in ("kernel_shape", "strides", "dilations", "pads", "ceil_mode", "pad_mode")),
    )

"""A Pad node becomes part of the convolution or pooling that reads it, in every mode they have.

Padding is free inside a kernel and a whole copy outside of it.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.ops import get_op, hooks_of
from clconv.graph.passes.editor import Editor
from clconv.graph.passes.facts import gather_facts
from clconv.records import record

NOT_NEGATIVE = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softplus", "Abs", "Exp", "Sqrt"})


@record(frozen=True)
class Padding:
    """What a Pad node does to spatial axes. pads: begin of every axis, then end of every axis."""

    source: str
    pads: tuple[int, ...]
    mode: str
    value: float
    known: TensorSpec | None  # of the source


def fuse_pad(graph: Graph) -> Graph:
    """The graph with Pad nodes folded into all their readers where every one of them can take it.

    A reader can if the values and the number of windows stay exactly what they were: see _padded.
    """
    if not any(node.op == "Pad" for node in graph.nodes):
        return graph
    editor = Editor(graph)
    facts = gather_facts(graph)
    for position, node in enumerate(graph.nodes):
        current = editor.nodes[position]
        if node.op != "Pad" or current is None or current.epilogue:
            continue
        result = current.outputs[0]
        readers = editor.readers(result)
        if result in editor.outputs or not readers:
            continue
        known = facts.get(node.inputs[0])
        fused: dict[int, Node] = {}
        for reader in readers:
            target = editor.nodes[reader]
            assert target is not None
            padded = _fuse(editor, current, target, known)
            if padded is None:
                break
            fused[reader] = padded
        else:
            for reader, padded in fused.items():
                editor.put(reader, padded)
            editor.drop(position)
    return editor.result()


def _fuse(editor: Editor, pad: Node, reader: Node, known: TensorSpec | None) -> Node | None:
    if not hooks_of(reader).pad or reader.inputs.count(pad.outputs[0]) != 1:
        return None
    if reader.inputs[0] != pad.outputs[0] or any(reader.outputs[1:]):
        return None  # indices of MaxPool count the padded pixels
    rank = len(reader.attrs.pads) // 2 + 2
    padding = _spatial_padding(editor, pad, rank, known)
    if padding is None or not any(padding.pads):
        return None
    padded = _padded(editor, padding, reader)
    if padded is None:
        return None
    inputs = (padding.source, *reader.inputs[1:])
    return dataclasses.replace(padded, inputs=inputs)


def _spatial_padding(
    editor: Editor, node: Node, rank: int, known: TensorSpec | None
) -> Padding | None:
    """The Pad node's effect if it is constant, not negative, and on spatial axes only."""
    pads = editor.ints(node.inputs[1])
    if pads is None or min(pads, default=0) < 0:
        return None
    axes: tuple[int, ...] | None = tuple(range(rank))
    if len(node.inputs) > 3 and node.inputs[3]:
        axes = editor.ints(node.inputs[3])
    if axes is None or len(pads) != 2 * len(axes):
        return None
    if any(not -rank <= a < rank for a in axes):
        return None
    full = [0] * (2 * rank)
    for i, axis in enumerate(axes):
        full[axis % rank] = pads[i]
        full[axis % rank + rank] = pads[i + len(axes)]
    if any((full[0], full[1], full[rank], full[rank + 1])):
        return None
    value = 0.0
    if len(node.inputs) > 2 and node.inputs[2] and node.attrs.mode == "constant":
        given = editor.array(node.inputs[2])
        if given is None or given.size != 1:
            return None
        value = float(given.reshape(-1)[0])
    spatial = (*full[2:rank], *full[rank + 2 :])
    return Padding(node.inputs[0], spatial, node.attrs.mode, value, known)


def _padded(editor: Editor, padding: Padding, reader: Node) -> Node | None:
    """The reader doing the padding itself; None if it would not compute exactly the same."""
    own, mode = reader.attrs.pads, reader.attrs.get("pad_mode", "constant")
    if reader.attrs.auto_pad == "VALID":
        own = (0,) * len(own)
    elif reader.attrs.auto_pad != "NOTSET":
        return None  # its pads depend on the size of what it is given
    if mode != "constant" and any(own):
        return None
    if not _same_windows(padding, reader, own):
        return None
    changes: dict[str, object] = {"auto_pad": "NOTSET"}
    if padding.mode == "constant":
        if not _takes_constant(editor, padding, reader):
            return None
        if "pad_mode" in get_op(reader.op).attributes:
            changes["pad_mode"] = "constant"
    else:
        # Padding twice by reflection is not padding once by the sum.
        if "pad_mode" not in get_op(reader.op).attributes or any(own):
            return None
        changes["pad_mode"] = padding.mode
    if reader.op == "AveragePool":
        # The Pad node's pixels counted as pixels.
        if any(own) and not reader.attrs.count_include_pad:
            return None
        changes["count_include_pad"] = 1
    total = tuple(a + b for a, b in zip(own, padding.pads, strict=True))
    # What another mode puts there is image.
    if reader.op != "Conv" and padding.mode == "constant" and not _window_covers(total, reader):
        return None
    return dataclasses.replace(reader, attrs=reader.attrs.replace(pads=total, **changes))


def _takes_constant(editor: Editor, padding: Padding, reader: Node) -> bool:
    if reader.op != "MaxPool":
        return padding.value == 0
    known = padding.known
    if known is None or not known.dtype.is_float:
        return False
    if padding.value <= float(np.finfo(known.dtype.numpy).min):
        return True
    # A zero among values that are not negative is never the larger one.
    return padding.value <= 0 and _is_not_negative(editor, padding.source)


def _is_not_negative(editor: Editor, name: str) -> bool:
    found = editor.maker(name)
    if found is None:
        return False
    node = found[1]
    last = node.epilogue[-1].op if node.epilogue else node.op
    if last == "Clip":
        low = node.epilogue[-1].operands[1:2] if node.epilogue else (1,)
        bound = node.inputs[low[0]] if low and low[0] < len(node.inputs) else ""
        value = editor.scalar(bound)
        return value is not None and value >= 0
    return last in NOT_NEGATIVE


def _window_covers(total: tuple[int, ...], reader: Node) -> bool:
    """Whether every pooling window still holds a real pixel, as ONNX asks of its pads."""
    kernel = reader.attrs.kernel_shape
    dilations = reader.attrs.get("dilations") or (1,) * len(kernel)
    return all(d == 1 for d in dilations) and all(
        max(total[i], total[i + len(kernel)]) < k for i, k in enumerate(kernel)
    )


def _same_windows(padding: Padding, reader: Node, own: tuple[int, ...]) -> bool:
    """With ceil mode a last window may start in the image but not in the pad behind it.

    What was image to the pooling becomes pad, so the number of windows has to be checked.
    """
    if not reader.attrs.get("ceil_mode"):
        return True
    if padding.known is None or not all(isinstance(d, int) for d in padding.known.shape[2:]):
        return False
    half = len(own) // 2
    if len(padding.known.shape) != half + 2:
        return False  # no sound model: the shape rule says what is wrong
    for i, size in enumerate(padding.known.shape[2:]):
        begin, end = padding.pads[i], padding.pads[i + half]
        dilation, stride = reader.attrs.dilations[i], reader.attrs.strides[i]
        window = dilation * (reader.attrs.kernel_shape[i] - 1) + 1
        room = size + begin + end + own[i] + own[i + half] - window
        next_start = math.ceil(room / stride) * stride
        # The extra window starts in the image both before and after, or in neither.
        if room % stride and (next_start < size + begin + end + own[i]) != (
            next_start < size + begin + own[i]
        ):
            return False
    return True

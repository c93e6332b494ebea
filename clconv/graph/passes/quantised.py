"""Quantised networks compute in float32: integers are only what values are rounded to in between.

No kernel is faster on bytes than the convolutions on floats are. So a quantised product is one of floats between a
DequantizeLinear and a QuantizeLinear, and such a pair, back to back, one element-wise operator, which fuses into
whatever is before it. Rounded is as before; a sum, though, has float32's error instead of none, so that what lies within
that of half a step may be rounded to the other side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from clconv.graph.ir import Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops import hooks_of, make_node
from clconv.graph.passes.editor import Editor
from clconv.graph.passes.facts import gather_facts
from clconv.graph.passes.remove_dead import remove_dead
from clconv.graph.tensor import Integers
from clconv.records import record


def unfold_quantised(graph: Graph) -> Graph:
    """The graph with QLinearConv and QLinearMatMul of constant weights, scales and zero points as Conv and MatMul of
    float32 between DequantizeLinear and QuantizeLinear; and with ConvInteger and MatMulInteger of constant weights,
    whose sums become float32 anyway, as those of float32."""
    editor = Editor(graph)
    facts = None
    for position, node in enumerate(graph.nodes):
        if node.op in ("QLinearConv", "QLinearMatMul"):
            _unfold(editor, position, node)
        elif node.op == "Cast" and node.attrs.to == "float32":
            product = editor.made_by(node.inputs[0], "ConvInteger", "MatMulInteger")
            if product is not None:
                facts = facts or gather_facts(graph)
                _unfold_sums(editor, position, product, facts)
    return remove_dead(editor.result()) if editor.changed else graph


def _unfold_sums(
    editor: Editor, position: int, node: Node, facts: Mapping[str, TensorSpec]
) -> None:
    """The Cast at a position as the product of floats that makes the sums it reads."""
    x, w, x_zero, w_zero = (*node.inputs, "", "")[:4]
    weights, zero = editor.array(w), editor.array(w_zero) if w_zero else np.zeros((), np.uint8)
    point = facts.get(x_zero)
    if weights is None or zero is None or not editor.is_private(node.outputs[0]):
        return
    if x_zero and (point is None or not point.is_static or point.size != 1):
        return
    cast = editor.nodes[position]
    assert cast is not None
    is_conv = node.op == "ConvInteger"
    if not _is_one_each(zero, weights, is_conv):
        return
    one_each = np.ones((), np.float32)
    whole = Constant(_real(weights, zero, one_each, is_conv))
    axis = 0 if is_conv else weights.ndim - 1
    whole.integers = Integers(editor.constants[w], zero, one_each, axis)
    real = editor.fresh(f"{node.name}/real")
    one = editor.constant(f"{node.name}/one", np.ones(point.shape if point else (), np.float32))
    shifted = make_node("DequantizeLinear", [x, one, x_zero], [real], f"{node.name}/real")
    editor.insert_before(position, shifted)
    inputs = [real, editor.constant(f"{node.name}/weights", whole)]
    op = "Conv" if is_conv else "MatMul"
    editor.put(position, make_node(op, inputs, cast.outputs, node.name, **node.attrs))


def _real(weights: np.ndarray, zero: np.ndarray, scale: np.ndarray, is_conv: bool) -> np.ndarray:
    """Weights as float32; zero points and scales are one, or one for each filter or column."""
    along = (-1, *(1,) * (weights.ndim - 1)) if is_conv else (-1,)
    zero, scale = (a.astype(np.float64).reshape(along) for a in (zero, scale))
    return ((weights.astype(np.float64) - zero) * scale).astype(np.float32)


def _is_one_each(numbers: np.ndarray, weights: np.ndarray, is_conv: bool) -> bool:
    """Whether scales or zero points are one for all weights, or one for each filter or column; what is neither, the
    shape rule refuses."""
    if not weights.ndim or numbers.ndim > 1:
        return False
    return numbers.size in (1, weights.shape[0 if is_conv else -1])


def _unfold(editor: Editor, position: int, node: Node) -> None:
    x_scale, _, w, w_scale, w_zero = (editor.array(n) for n in node.inputs[1:6])
    given = (x_scale, w, w_scale, w_zero)
    if any(a is None for a in given) or any(editor.array(n) is None for n in node.inputs[6:]):
        return
    assert x_scale is not None and w is not None and w_scale is not None and w_zero is not None
    if x_scale.size != 1 or x_scale.dtype != np.float32 or w_scale.dtype != np.float32:
        return
    is_conv = node.op == "QLinearConv"
    bias = editor.array(node.inputs[8]) if len(node.inputs) > 8 else None
    if bias is not None and bias.shape != w.shape[:1]:
        return
    if not (_is_one_each(w_scale, w, is_conv) and _is_one_each(w_zero, w, is_conv)):
        return
    weights = Constant(_real(w, w_zero, w_scale, is_conv))
    axis = 0 if is_conv else w.ndim - 1
    weights.integers = Integers(editor.constants[node.inputs[3]], w_zero, w_scale, axis)
    real, result = editor.fresh(f"{node.name}/real"), editor.fresh(f"{node.name}/result")
    inputs = [real, editor.constant(f"{node.name}/weights", weights)]
    if bias is not None:
        steps = x_scale.astype(np.float64).reshape(()) * w_scale.astype(np.float64).reshape(-1)
        inputs.append(editor.constant(f"{node.name}/bias", (bias * steps).astype(np.float32)))
    made = make_node("DequantizeLinear", node.inputs[:3], [real], f"{node.name}/real")
    editor.insert_before(position, made)
    product = make_node("Conv" if is_conv else "MatMul", inputs, [result], node.name, **node.attrs)
    editor.insert_before(position, product)
    named = f"{node.name}/integers"
    made = make_node("QuantizeLinear", [result, *node.inputs[6:8]], node.outputs, named)
    editor.put(position, made)


def fuse_quantised(graph: Graph) -> Graph:
    """The graph with each DequantizeLinear of what a QuantizeLinear of the same scale and zero point gives, also with
    operators in between that only move elements, as one FakeQuantize. float32 only, one scale for all elements."""
    if not any(node.op == "DequantizeLinear" for node in graph.nodes):
        return graph
    editor = Editor(graph)
    _merge_twins(editor)
    _before_movers(editor)
    _merge_twins(editor)
    facts = gather_facts(graph)
    for position, node in enumerate(editor.nodes):
        if node is None or node.op != "DequantizeLinear":
            continue
        maker = editor.made_by(node.inputs[0], "QuantizeLinear")
        step = _Step.of(editor, node)
        if maker is None or step is None or step != _Step.of(editor, maker):
            continue
        known = facts.get(maker.inputs[0])
        if known is None or known.dtype is not DType.FLOAT32:
            continue
        # One for each channel: kernels read those, but know of single numbers when they are compiled.
        channels = known.shape[1] if known.rank > 1 else None
        shape = () if channels is None else (channels, *(1,) * (known.rank - 2))
        numbers = (
            editor.constant(f"{node.name}/{what}", np.full(shape, number, np.float32))
            for what, number in (("scale", step.scale), ("zero", step.zero))
        )
        inputs = [maker.inputs[0], *numbers]
        limits = np.iinfo(step.dtype)
        ends = {"low": int(limits.min), "high": int(limits.max)}
        editor.put(position, make_node("FakeQuantize", inputs, node.outputs, node.name, **ends))
    return remove_dead(editor.result()) if editor.changed else graph


@record(frozen=True)
class _Step:
    """Scale and zero point of one of the two operators, and the integers between them."""

    scale: float
    zero: int
    dtype: str

    @classmethod
    def of(cls, editor: Editor, node: Node) -> _Step | None:
        """None if they are not constant, not one for all elements, or the scale is not float32."""
        at, integers = node.attrs, "uint8"
        if node.op == "QuantizeLinear":
            integers = at.output_dtype or integers
        elif at.output_dtype not in ("", "float32"):
            return None
        _, scale_name, zero_name = (*node.inputs, "")[:3]
        scale = editor.array(scale_name)
        zero = editor.array(zero_name) if zero_name else np.zeros((), integers)
        if scale is None or zero is None or {scale.size, zero.size} != {1} or at.block_size:
            return None
        if scale.dtype != np.float32 or zero.dtype.kind not in "iu":
            return None
        return cls(float(scale.reshape(())), int(zero.reshape(())), zero.dtype.name)


def _merge_twins(editor: Editor) -> None:
    """Exporters write a DequantizeLinear for each reader: one does for all."""
    first: dict[tuple[str, _Step], str] = {}
    for position, node in enumerate(editor.nodes):
        if node is None or node.op != "DequantizeLinear":
            continue
        step = _Step.of(editor, node)
        if step is None:
            continue
        twin = first.setdefault((node.inputs[0], step), node.outputs[0])
        if twin != node.outputs[0] and node.outputs[0] not in editor.outputs:
            editor.drop(position)
            editor.substitute(node.outputs[0], twin)


def _before_movers(editor: Editor) -> None:
    """DequantizeLinear goes before what moves elements, up to the QuantizeLinear if there is one."""
    for position in reversed(range(len(editor.nodes))):
        node = editor.nodes[position]
        if node is None or node.op != "DequantizeLinear" or _Step.of(editor, node) is None:
            continue
        found = editor.maker(node.inputs[0])
        if found is None or not editor.is_private(node.inputs[0]):
            continue
        origin, mover = found
        if not hooks_of(mover).keeps_elements or mover.epilogue or any(mover.outputs[1:]):
            continue
        real = editor.fresh(f"{mover.name}/real")
        editor.put(
            origin,
            dataclasses.replace(node, inputs=(mover.inputs[0], *node.inputs[1:]), outputs=(real,)),
        )
        moved = dataclasses.replace(mover, inputs=(real, *mover.inputs[1:]), outputs=node.outputs)
        editor.put(position, moved)

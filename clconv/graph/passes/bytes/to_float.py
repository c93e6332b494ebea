"""Products of values that are quantised by their own range at a run: of bytes, with floats as their result.

unfold_quantised made them products of floats: DequantizeLinear of scale 1, then MatMul or Conv of whole weights, then Mul
by the scales. They become ByteMatMulToFloat or ByteConvToFloat where a kernel takes them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from clconv.graph.ir import RUNNING, Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.ops.quantised.bytes_to_float import BIAS
from clconv.graph.passes.bytes.grid import Weights
from clconv.graph.passes.editor import Editor, inherit
from clconv.records import record

TakesBytes = Callable[[Node, Mapping[str, TensorSpec], Mapping[str, Constant]], bool]
_MATRIX = "bytes of a matrix"


def place_to_float(graph: Graph, takes: TakesBytes) -> Graph:
    """The graph, all of whose specs are known, with such products on bytes; takes: see place_bytes."""
    if not any(n.op == "DequantizeLinear" for n in graph.nodes):
        return graph
    editor = Editor(graph)
    for position, node in enumerate(graph.nodes):
        if node.op in ("MatMul", "Conv") and editor.nodes[position] is node:
            _place(editor, position, node, takes)
    if not editor.changed:
        return graph
    for position, found in enumerate(editor.nodes):
        if found is not None and found.op == "Add":
            _take_bias(editor, position, found)
    for position, found in enumerate(editor.nodes):
        if found is not None and found.op == "Reshape":
            _take_shape(editor, position, found)
    return editor.result()


@record(frozen=True)
class _Scale:
    """What sums are multiplied by: one number that may be known at a run only, and one for each filter. follower: the
    position of the Mul that does it; -1 if nobody does."""

    name: str
    multiplier: np.ndarray
    follower: int = -1


def _place(editor: Editor, position: int, node: Node, takes: TakesBytes) -> None:
    shifted = editor.made_by(node.inputs[0], "DequantizeLinear")
    if shifted is None or len(shifted.inputs) != 3 or len(node.op_inputs) != 2:
        return
    x, one, zero = shifted.inputs
    step, specs = editor.array(one), editor.specs
    if step is None or step.size != 1 or step.reshape(()) != 1 or specs[x].dtype is not DType.UINT8:
        return
    is_conv = node.op == "Conv"
    weights = _weights(editor, node)
    if weights is None or weights.values.spec.shape[0] == 0:
        return
    scale = _scale(editor, node, len(weights.scale), 1 if is_conv else -1)
    values = weights.values if is_conv else as_matrix(weights.values)
    inputs = [
        x,
        zero,
        editor.constant(f"{node.name}/bytes", values),
        scale.name or editor.constant(f"{node.name}/one", np.ones((), np.float32)),
        editor.constant(
            f"{node.name}/multiplier", (weights.scale * scale.multiplier).astype(np.float32)
        ),
    ]
    window = ("strides", "dilations", "pads", "group") if is_conv else ()
    attrs: dict[str, Any] = {name: node.attrs[name] for name in window}
    op = "ByteConvToFloat" if is_conv else "ByteMatMulToFloat"
    made = make_node(op, inputs, node.outputs, node.name, **attrs)
    if not takes(made, {**specs, **_specs_of(editor, inputs)}, editor.constants):
        return
    if node.epilogue:
        made = inherit(made, node)
    if scale.follower < 0:
        editor.put(position, made)
        return
    follower = editor.nodes[scale.follower]
    assert follower is not None
    editor.merge(position, scale.follower, inherit(made, follower))


def _specs_of(editor: Editor, names: list[str]) -> dict[str, TensorSpec]:
    return {n: editor.constants[n].spec for n in names if n in editor.constants}


def _weights(editor: Editor, node: Node) -> Weights | None:
    constant, rank = editor.constants.get(node.inputs[1]), editor.specs[node.inputs[0]].rank
    if constant is None or rank < 2:
        return None
    if node.op == "MatMul":
        return Weights.of(constant, turned=True) if constant.spec.rank == 2 else None
    if node.attrs.pad_mode != "constant" or rank not in (3, 4):
        return None
    return Weights.of(constant)


def as_matrix(values: Constant) -> Constant:
    """Filters of one pixel as a matrix (columns, inner): always the same constant for the same filters."""
    if _MATRIX not in values.derived:
        array = values.array
        values.derived[_MATRIX] = Constant(array.reshape(array.shape[:2]))
    found: Constant = values.derived[_MATRIX]
    return found


def _scale(editor: Editor, node: Node, filters: int, axis: int) -> _Scale:
    """What multiplies the result of a product and nothing else does, if it is one number, or that times a constant."""
    result, plain = node.outputs[0], _Scale("", np.ones(filters))
    if node.epilogue or not editor.is_private(result):
        return plain
    (position,) = editor.readers(result)
    reader = editor.nodes[position]
    if reader is None or reader.op != "Mul" or result in reader.inputs[2:]:
        return plain
    (factor,) = (n for n in reader.op_inputs if n != result) if reader.op_inputs else ("",)
    spec = editor.specs.get(factor)
    if spec is None or factor in editor.constants or spec.dtype is not DType.FLOAT32:
        return plain
    along = _is_along(spec.shape, editor.specs[result].shape, axis)
    if not along and (spec.size > 1 or spec.rank > editor.specs[result].rank):
        return plain
    made = editor.made_by(factor, "Mul")
    for name, other in (made.inputs, made.inputs[::-1]) if made is not None else ():
        known = editor.array(other)
        if known is not None and known.size in (1, filters) and _size(editor, name) == 1:
            return _Scale(name, np.broadcast_to(known.reshape(-1), filters), position)
    return _Scale(factor, np.ones(filters), position) if spec.size == 1 else plain


def _size(editor: Editor, name: str) -> int:
    spec = editor.specs.get(name)
    return -1 if spec is None else spec.size


def _is_along(shape: tuple[int, ...], result: tuple[int, ...], axis: int) -> bool:
    """Whether a shape broadcasts along one axis of the result only."""
    if len(shape) > len(result):
        return False
    full = (1,) * (len(result) - len(shape)) + tuple(shape)
    return full == tuple(size if i == axis % len(result) else 1 for i, size in enumerate(result))


def _take_bias(editor: Editor, position: int, node: Node) -> None:
    """Puts what is added for each column into the product, which an epilogue of more axes than two cannot take."""
    for result, other in (node.op_inputs, node.op_inputs[::-1]):
        found, constant = editor.maker(result), editor.constants.get(other)
        if found is None or constant is None or not editor.is_private(result):
            continue
        origin, maker = found
        spec = editor.specs[result]
        if maker.op != "ByteMatMulToFloat" or maker.epilogue or len(maker.inputs) > BIAS:
            continue
        if not _is_along(constant.spec.shape, spec.shape, -1):
            continue
        flat = constant if constant.spec.rank == 1 else Constant(constant.array.reshape(-1))
        inputs = (*maker.inputs, editor.constant(f"{maker.name}/bias", flat))
        editor.merge(origin, position, inherit(dataclasses.replace(maker, inputs=inputs), node))
        return


def _take_shape(editor: Editor, position: int, node: Node) -> None:
    """Gives a product the rows' shape that a Reshape behind it has, so that what follows can be steps of the product."""
    found, specs = editor.maker(node.inputs[0]), editor.specs
    if found is None or not editor.is_private(node.inputs[0]) or node.epilogue:
        return
    origin, maker = found
    shape, before = specs[node.outputs[0]].shape, specs[node.inputs[0]].shape
    if maker.op != "ByteMatMulToFloat" or len(shape) < 2 or shape[-1] != before[-1]:
        return
    bias = _own_bias(editor, maker)
    if maker.epilogue and bias is None:
        return
    rows = editor.fresh(f"{maker.name}/rows")
    wanted = np.array((*shape[:-1], specs[maker.inputs[0]].shape[-1]), np.int64)
    sizes = editor.constant(f"{maker.name}/shape", wanted)
    editor.insert_before(origin, make_node("Reshape", [maker.inputs[0], sizes], [rows], rows))
    inputs = (rows, *maker.op_inputs[1:], *([bias] if bias else []))
    made = make_node(maker.op, inputs, node.outputs, maker.name)
    editor.drop(position)
    editor.put(origin, made)


def _own_bias(editor: Editor, maker: Node) -> str | None:
    """The constant that an epilogue adds to a product without a bias, and does nothing else: its name as a bias."""
    if len(maker.epilogue) != 1 or maker.epilogue[0].op != "Add" or len(maker.op_inputs) > BIAS:
        return None
    names = [maker.inputs[i] for i in maker.epilogue[0].operands if i != RUNNING]
    constant = editor.constants.get(names[0]) if len(names) == 1 else None
    if constant is None or constant.spec.size != editor.specs[maker.outputs[0]].shape[-1]:
        return None
    if constant.spec.rank == 1:
        return names[0]
    return editor.constant(f"{maker.name}/bias", constant.array.reshape(-1))

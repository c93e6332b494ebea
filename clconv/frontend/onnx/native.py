"""Checks before onnx's native code sees a model: that code trusts its input, and ends the process if it is
invalid."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import onnx

from clconv.frontend.onnx.attributes import MEANINGLESS, attribute_kind
from clconv.frontend.onnx.calls import MAIN_DOMAIN, is_of_another_opset
from clconv.frontend.onnx.structure import subgraphs

# Rules of onnx's that look at the type of an input without asking whether there is one.
_TRUSTING = frozenset({"EyeLike", "RegexFullMatch", "SequenceMap"})
# Most elements that are declared of a vector, of any other tensor, for values to be followed.
_VECTOR, _TENSOR = 1 << 16, 1 << 31
# Rules that write past the shape of a further output where an axis is none of the input's.
_ONE_OUTPUT = frozenset({"LayerNormalization"})


def is_complete(kind: onnx.TypeProto) -> bool:
    """Whether a type says what its elements are, at every depth."""
    match kind.WhichOneof("value"):
        case "tensor_type":
            return kind.tensor_type.elem_type != onnx.TensorProto.UNDEFINED
        case "sequence_type":
            return is_complete(kind.sequence_type.elem_type)
        case "optional_type":
            return is_complete(kind.optional_type.elem_type)
    return False


def is_sound(node: onnx.NodeProto, opset: int) -> bool:
    """Whether a node of ONNX's own has the inputs, outputs and attributes that its operator takes."""
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError:
        return False
    if not schema.min_input <= len(node.input) <= schema.max_input:
        return False
    if not schema.min_output <= len(node.output) <= schema.max_output:
        return False
    # Exporters leave out the roi of Resize-11, though its schema wants it.
    if not all(node.input[: schema.min_input]) and node.op_type != "Resize":
        return False
    given = set()
    for attribute in node.attribute:
        name = attribute.name
        if name in MEANINGLESS:
            continue
        if name not in schema.attributes or name in given or attribute.ref_attr_name:
            return False
        if attribute.type not in (attribute_kind(schema, name), onnx.AttributeProto.UNDEFINED):
            return False
        given.add(name)
    return all(name in given for name, a in schema.attributes.items() if a.required)


def keep_sound(graph: onnx.GraphProto, opset: int, around: Collection[str] = ()) -> None:
    """Takes out of a graph and its subgraphs the nodes that onnx's inference of shapes might not survive.

    What they make is then of a type that is not known, as behind an operator that onnx does not have.
    around: values of graphs around it whose types are declared.
    """
    declared = {*around, *_declared(graph)}
    kept = []
    for node in graph.node:
        if node.domain in MAIN_DOMAIN and (
            is_of_another_opset(node)
            or not is_sound(node, opset)
            or (node.op_type in _TRUSTING and not declared.issuperset(filter(None, node.input)))
        ):
            continue
        if node.op_type in _ONE_OUTPUT:
            del node.output[1:]
        for inner in subgraphs(node):
            keep_sound(inner, opset, declared)
        kept.append(node)
    if len(kept) < len(graph.node):
        del graph.node[:]
        graph.node.extend(kept)


def follows_values(graph: onnx.GraphProto) -> bool:
    """Whether onnx may follow values as well as shapes: it makes a symbol for every element of a vector, and a
    vector may be declared with, or made of, more than memory holds."""
    tensors = [t.dims for t in graph.initializer]
    for value in (*graph.input, *graph.output, *graph.value_info):
        tensors.append([max(d.dim_value, 1) for d in value.type.tensor_type.shape.dim])
    return all(math.prod(dims) <= (_VECTOR if len(dims) == 1 else _TENSOR) for dims in tensors)


def _declared(graph: onnx.GraphProto) -> Iterator[str]:
    for value in (*graph.input, *graph.value_info):
        if is_complete(value.type):
            yield value.name
    yield from (t.name for t in graph.initializer if t.data_type != onnx.TensorProto.UNDEFINED)

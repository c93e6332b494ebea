"""ONNX's own definitions of operators by other operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx

from clconv.frontend.onnx.calls import LocalFunction
from clconv.frontend.onnx.declarations import Declarations
from clconv.frontend.onnx.native import is_complete, is_sound


class NoDefinition(Exception):
    """ONNX has no definition of this use of an operator."""


def definition_of(node: onnx.NodeProto, opset: int, declarations: Declarations) -> LocalFunction:
    """The function that a node calls. declarations: of the model that it stands in.

    Raises NoDefinition where the node breaks its operator's rules, or a type that the definition needs is not
    known: onnx's builders of definitions believe what they are given.
    """
    if not is_sound(node, opset):
        raise NoDefinition
    schema: Any = onnx.defs.get_schema(
        node.op_type, opset, ""
    )  # its type says nothing of functions
    defaults = {
        name: attribute.default_value
        for name, attribute in schema.attributes.items()
        if attribute.default_value.type
    }
    versions = [v for v in schema.function_opset_versions if v <= opset]
    if versions:
        data = schema.get_function_with_opset_version(max(versions))
    else:
        data = _built(node, schema, opset, declarations, defaults)
    proto = onnx.FunctionProto()
    proto.ParseFromString(data)
    given = [o.version for o in proto.opset_import if o.domain == ""]
    return LocalFunction(proto, defaults, max(given, default=opset))


def _built(
    node: onnx.NodeProto,
    schema: Any,
    opset: int,
    declarations: Declarations,
    defaults: dict[str, Any],
) -> bytes:
    """The definition of an operator for these attributes and types of inputs."""
    versions = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
    types = [declarations.type_of(name) if name else onnx.TypeProto() for name in node.input]
    known = [t for t, name in zip(types, node.input, strict=True) if name]
    if not versions or not all(t is not None and is_complete(t) for t in known):
        raise NoDefinition
    if not _bodies_fit(node, [t for t in types if t is not None]):
        raise NoDefinition
    complete = onnx.NodeProto()
    complete.CopyFrom(node)
    absent = defaults.keys() - {a.name for a in node.attribute}
    complete.attribute.extend(defaults[name] for name in sorted(absent))
    try:
        found: bytes = schema.get_context_dependent_function_with_opset_version(
            max(versions),
            complete.SerializeToString(),
            [t.SerializeToString() for t in types if t is not None],
        )
    except Exception:  # what onnx raises here has no class of its own
        raise NoDefinition from None
    if not found:
        raise NoDefinition
    return found


def _bodies_fit(node: onnx.NodeProto, types: Sequence[onnx.TypeProto]) -> bool:
    """Whether a graph among the attributes (SequenceMap has the only one) takes the node's inputs."""
    for attribute in node.attribute:
        if attribute.type != onnx.AttributeProto.GRAPH:
            continue
        body = attribute.g
        if len(body.input) != len(node.input) or len(body.output) != len(node.output):
            return False
        if not types[0].HasField("sequence_type"):
            return False
    return True

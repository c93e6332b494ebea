"""Expands an operator whose definition depends on its inputs: each use becomes a call of a function."""

from __future__ import annotations

from typing import Any

import onnx
import onnx.inliner

from clconv.frontend.onnx.facts import Facts

_DOMAIN = "clconv.definitions"


def expand_by_calls(light: onnx.ModelProto, op: str, facts: Facts) -> onnx.ModelProto | None:
    """The light model with every use of the operator in its main graph replaced by ONNX's definition for
    those inputs; None if onnx does not give one.

    light: of a copy that may be changed, with all attributes of the operator filled in.
    """
    opset = max(o.version for o in light.opset_import if o.domain in ("", "ai.onnx"))
    schema: Any = onnx.defs.get_schema(op, opset, "")  # its type says nothing of these functions
    if not schema.has_context_dependent_function:
        return None
    for index, node in enumerate(light.graph.node):
        if node.op_type != op or node.domain not in ("", "ai.onnx"):
            continue
        function = onnx.FunctionProto()
        types = [_type(name, light, facts).SerializeToString() for name in node.input]
        versions = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
        try:
            body = schema.get_context_dependent_function_with_opset_version(
                max(versions), node.SerializeToString(), types
            )
            function.ParseFromString(body)
        except Exception:  # what onnx raises here has no class of its own
            return None
        function.name, function.domain = f"{op}_{index}", _DOMAIN
        node.op_type, node.domain = function.name, _DOMAIN
        declared = {*function.attribute, *(a.name for a in function.attribute_proto)}
        kept = [a for a in node.attribute if a.name in declared]
        del node.attribute[:]
        node.attribute.extend(kept)
        light.functions.append(function)
    light.opset_import.append(onnx.helper.make_operatorsetid(_DOMAIN, 1))
    try:
        return onnx.inliner.inline_local_functions(light, convert_version=False)
    except Exception:
        return None


def _type(name: str, light: onnx.ModelProto, facts: Facts) -> onnx.TypeProto:
    """The type of an input; an empty one for an absent input."""
    if not name:
        return onnx.TypeProto()
    for tensor in light.graph.initializer:
        if tensor.name == name:
            return onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
    declared = facts.declaration(name)
    return onnx.TypeProto() if declared is None else declared.type

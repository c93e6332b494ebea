"""Functions, the model's own and those that define operators clconv lacks, replaced by their bodies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import onnx
import onnx.inliner

from clconv.errors import GraphError, ModelError
from clconv.frontend.onnx.calls import expand_by_calls
from clconv.frontend.onnx.facts import Facts, light_copy
from clconv.frontend.onnx.files import Origin
from clconv.frontend.onnx.structure import all_nodes, subgraphs

MAIN_DOMAIN = ("", "ai.onnx")


def expand_functions(
    model: onnx.ModelProto, origin: Origin, supported: Collection[str]
) -> onnx.ModelProto:
    """The model without local functions, and without operators that are not in `supported` but whose
    definition is a function of operators that may be.

    Raises GraphError for functions that call themselves, ModelError if onnx cannot inline them.
    """
    if model.functions:
        _refuse_recursion(model, origin)
        model = _with_nodes(model, _inline_local(model, origin))
    for op in _definable(model, supported):
        expanded = _expand_fully(model, op, supported)
        if expanded is not None:
            model = expanded
    return model


def _expand_fully(
    model: onnx.ModelProto, op: str, supported: Collection[str]
) -> onnx.ModelProto | None:
    """The model without the operator and without those that its definition brings in; None if some of
    them stay: that would only hide what is missing."""
    expanded = expand_operator(model, op)
    if expanded is None:
        return None
    for domain, inner in sorted(_missing(expanded, supported) - _missing(model, supported)):
        if domain not in MAIN_DOMAIN or inner not in _definable(expanded, supported):
            return None
        further = _expand_fully(expanded, inner, supported)
        if further is None:
            return None
        expanded = further
    return expanded


def expand_operator(model: onnx.ModelProto, op: str) -> onnx.ModelProto | None:
    """The model with every use of one operator replaced by ONNX's definition; None if onnx cannot."""
    light = light_copy(model)
    types = Facts(model)
    for node in all_nodes(light.graph):
        if node.op_type == op and node.domain in MAIN_DOMAIN:
            _fill_defaults(node, _opset(model))
    try:
        inlined = onnx.inliner.inline_selected_functions(
            light, [("", op)], inline_schema_functions=True
        )
    except Exception:
        # onnx cannot do it by itself where an optional input is left out before others.
        expanded = expand_by_calls(light, op, types)
        return None if expanded is None else _with_nodes(model, expanded)
    return _with_nodes(model, inlined)


def _fill_defaults(node: onnx.NodeProto, opset: int) -> None:
    """onnx's inliner takes an attribute that is not given for one without a value."""
    given = {a.name for a in node.attribute}
    for name, attribute in onnx.defs.get_schema(node.op_type, opset, "").attributes.items():
        if name not in given and attribute.default_value.type:
            node.attribute.append(attribute.default_value)


def _missing(model: onnx.ModelProto, supported: Collection[str]) -> set[tuple[str, str]]:
    nodes = {(n.domain, n.op_type) for n in all_nodes(model.graph)}
    return {(d, op) for d, op in nodes if d not in MAIN_DOMAIN or op not in supported}


def _opset(model: onnx.ModelProto) -> int:
    return max((o.version for o in model.opset_import if o.domain in MAIN_DOMAIN), default=0)


def _with_nodes(model: onnx.ModelProto, inlined: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the nodes and opsets of another; initializers never leave Python."""
    result = onnx.ModelProto()
    result.CopyFrom(inlined)
    result.ir_version = model.ir_version
    result.metadata_props.extend(model.metadata_props)
    for field in ("producer_name", "producer_version", "domain", "model_version", "doc_string"):
        setattr(result, field, getattr(model, field))
    graph, source = result.graph, model.graph
    graph.doc_string = source.doc_string
    for field in ("initializer", "sparse_initializer", "input"):
        del getattr(graph, field)[:]
        getattr(graph, field).extend(getattr(source, field))
    return result


def _inline_local(model: onnx.ModelProto, origin: Origin) -> onnx.ModelProto:
    try:
        return onnx.inliner.inline_local_functions(light_copy(model), convert_version=True)
    except Exception as reason:
        names = ", ".join(sorted({f"{f.domain}.{f.name}" for f in model.functions})[:8])
        raise ModelError(f"{origin.label}: functions {names} cannot be inlined: {reason}") from None


def _refuse_recursion(model: onnx.ModelProto, origin: Origin) -> None:
    """GraphError for a circle of calls: onnx's inliner would never return."""
    bodies = {(f.domain, f.name): f for f in model.functions}
    calls = {
        key: {(n.domain, n.op_type) for n in _body_nodes(f)} & bodies.keys()
        for key, f in bodies.items()
    }
    done: set[tuple[str, str]] = set()
    while len(done) < len(calls):
        leaves = {k for k, called in calls.items() if k not in done and called <= done}
        if not leaves:
            names = ", ".join(sorted(f"{d}.{n}" for d, n in calls.keys() - done)[:8])
            raise GraphError(f"{origin.label}: functions call themselves: {names}")
        done |= leaves


def _body_nodes(function: onnx.FunctionProto) -> list[onnx.NodeProto]:
    nodes = list(function.node)
    for node in function.node:
        for inner in subgraphs(node):
            nodes += all_nodes(inner)
    return nodes


def _definable(model: onnx.ModelProto, supported: Collection[str]) -> list[str]:
    """Operators of the model that clconv lacks and that ONNX defines by a function."""
    found = []
    for domain, op in sorted(_missing(model, supported)):
        if domain not in MAIN_DOMAIN or not onnx.defs.has(op):
            continue
        try:
            schema = onnx.defs.get_schema(op, _opset(model), "")
        except onnx.defs.SchemaError:
            continue
        bodies: Any = schema  # onnx's type stubs do not list the next two
        if bodies.has_function or bodies.has_context_dependent_function:
            found.append(op)
    return found

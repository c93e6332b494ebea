"""Functions, the model's own and those that define operators clconv lacks, replaced by their bodies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import onnx

from clconv.errors import GraphError
from clconv.frontend.onnx.calls import (
    MAIN_DOMAIN,
    Budget,
    Key,
    LocalFunction,
    key_of,
    nodes_of,
    opset_of,
    write_out,
)
from clconv.frontend.onnx.declarations import Declarations
from clconv.frontend.onnx.definitions import NoDefinition, definition_of
from clconv.frontend.onnx.reading.files import Origin
from clconv.frontend.onnx.structure import Names, all_nodes, value_names


def expand_functions(
    model: onnx.ModelProto, origin: Origin, supported: Collection[str]
) -> onnx.ModelProto:
    """The model without local functions, and without operators that are not in `supported` but whose
    definition is a function of operators that may be.

    Raises GraphError for functions that call themselves or take less than a call gives, UnsupportedError if
    too many nodes would come of them.
    """
    budget = Budget(origin.label)
    if model.functions:
        model = _without_functions(model, origin, budget)
    for op in _definable(model, supported):
        expanded = _expand_fully(model, op, supported, budget)
        if expanded is not None:
            model = expanded
    return model


def _without_functions(model: onnx.ModelProto, origin: Origin, budget: Budget) -> onnx.ModelProto:
    bodies: dict[Key, onnx.FunctionProto] = {}
    for proto in model.functions:
        if key_of(proto) in bodies:
            raise GraphError(
                f"{origin.label}: function {proto.domain}.{proto.name} is defined twice"
            )
        bodies[key_of(proto)] = proto
    _refuse_recursion(bodies, origin)
    opset = _opset(model)
    functions = {key: LocalFunction.local(proto, opset) for key, proto in bodies.items()}
    written = _copy(model)
    names = _all_names(written)
    write_out(written.graph, opset, names, budget, lambda node: functions.get(key_of(node)))
    _add_opsets(written, bodies.values())
    return written


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.functions[:]
    return copy


def _all_names(model: onnx.ModelProto) -> Names:
    nodes = (node.name for node in all_nodes(model.graph))
    return Names({*value_names(model.graph), *nodes})


def _add_opsets(model: onnx.ModelProto, functions: Collection[onnx.FunctionProto]) -> None:
    """Domains that only functions import."""
    named = {"" if o.domain in MAIN_DOMAIN else o.domain for o in model.opset_import}
    for function in functions:
        for opset in function.opset_import:
            domain = "" if opset.domain in MAIN_DOMAIN else opset.domain
            if domain not in named:
                named.add(domain)
                model.opset_import.add(domain=domain, version=opset.version)


def _expand_fully(
    model: onnx.ModelProto, op: str, supported: Collection[str], budget: Budget
) -> onnx.ModelProto | None:
    """The model without the operator and without those that its definition brings in; None if some of
    them stay: that would only hide what is missing."""
    expanded = _expand_operator(model, op, budget)
    if expanded is None:
        return None
    for domain, inner in sorted(_missing(expanded, supported) - _missing(model, supported)):
        if domain not in MAIN_DOMAIN or inner not in _definable(expanded, supported):
            return None
        further = _expand_fully(expanded, inner, supported, budget)
        if further is None:
            return None
        expanded = further
    return expanded


def _expand_operator(model: onnx.ModelProto, op: str, budget: Budget) -> onnx.ModelProto | None:
    """The model with every use of one operator replaced by ONNX's definition; None if there is none for one of
    them, as its inputs are of a type that is not known or that it does not take."""
    declarations, opset = Declarations(model), _opset(model)
    expanded = _copy(model)

    def function_of(node: onnx.NodeProto) -> LocalFunction | None:
        if node.op_type != op or node.domain not in MAIN_DOMAIN:
            return None
        return definition_of(node, opset_of(node, opset), declarations)

    try:
        write_out(expanded.graph, opset, _all_names(expanded), budget, function_of)
    except NoDefinition:
        return None
    return expanded


def _missing(model: onnx.ModelProto, supported: Collection[str]) -> set[tuple[str, str]]:
    nodes = {(n.domain, n.op_type) for n in all_nodes(model.graph)}
    return {(d, op) for d, op in nodes if d not in MAIN_DOMAIN or op not in supported}


def _opset(model: onnx.ModelProto) -> int:
    return max((o.version for o in model.opset_import if o.domain in MAIN_DOMAIN), default=0)


def _refuse_recursion(bodies: dict[Key, onnx.FunctionProto], origin: Origin) -> None:
    """GraphError for a circle of calls: writing it out would not end."""
    calls = {key: {key_of(n) for n in nodes_of(f)} & bodies.keys() for key, f in bodies.items()}
    done: set[Key] = set()
    while len(done) < len(calls):
        leaves = {k for k, called in calls.items() if k not in done and called <= done}
        if not leaves:
            names = ", ".join(sorted(f"{d}.{n}" for d, n, _ in calls.keys() - done)[:8])
            raise GraphError(f"{origin.label}: functions call themselves: {names}")
        done |= leaves


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

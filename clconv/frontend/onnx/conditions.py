"""Conditions of If nodes that are known before the model runs."""

from __future__ import annotations

import numpy as np

from clconv.errors import ClconvError
from clconv.frontend.onnx.build import Builder
from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Node
from clconv.graph.ops import get_op

_LARGEST = 1024  # elements of a value worth computing for a condition


def known_condition(name: str, build: Builder) -> bool | None:
    """The condition if it follows from constants and from shapes without symbolic sizes, else None. Only a condition that
    is known makes the graph depend on what it follows from."""
    decided = set(build.decided)
    found = _found(name, build)
    if found is None:
        build.decided = decided
        return None
    return bool(found.reshape(-1)[0])


def _found(name: str, build: Builder) -> np.ndarray | None:
    """Its value of one element."""
    producers = {out: node for node in build.nodes for out in node.outputs if out}
    values: dict[str, np.ndarray | None] = {}
    order: list[str] = [name]
    while order:
        current = order[-1]
        if current in values:
            order.pop()
            continue
        node = producers.get(current)
        waiting = [] if node is None else [n for n in _needed(node) if n and n not in values]
        if waiting:
            order.extend(waiting)
            continue
        values[current] = _value(current, node, values, build)
        order.pop()
    found = values[name]
    return None if found is None or found.size != 1 else found


def _needed(node: Node) -> tuple[str, ...]:
    return () if node.op == "Shape" or get_op(node.op).host_only else node.inputs


def _value(
    name: str, node: Node | None, values: dict[str, np.ndarray | None], build: Builder
) -> np.ndarray | None:
    known = build.known(name)
    if known is not None or node is None:
        return known if known is None or known.size <= _LARGEST else None
    if node.op == "Shape":
        shape = build.shape(node.inputs[0])
        if shape is None:
            return None
        chosen = shape[node.attrs.start : node.attrs.end]
        return np.array(chosen, np.int64) if all(isinstance(d, int) for d in chosen) else None
    inputs = [values[n] if n else None for n in _needed(node)]
    if not inputs or any(n and v is None for n, v in zip(node.inputs, inputs, strict=True)):
        return None
    try:
        results = evaluate_node(node, inputs)
    except (ClconvError, ValueError, IndexError, TypeError):
        return None  # what is wrong with that node shows when its shapes are inferred
    return dict(zip(node.outputs, results, strict=False))[name]

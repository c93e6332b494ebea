"""Which cases of a test the quick run leaves to --whole: those in which nothing is new.

Cases are read in order. One is new if anything about it did not occur in an earlier case of its operator: an attribute's
value, an element type, a variant, a rank, a missing or a constant input. Operators whose kernels come from the same module
are the same code on a device, with another expression in it: there a rank, an input or a set of variants is new once.
"""

from __future__ import annotations

import collections
from collections.abc import Hashable, Iterable

import numpy as np
import pytest

from clconv.cases import Case
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.graph.ops import OPS
from clconv.lowering.variants import VARIANTS

Traits = frozenset[Hashable]

_MOST_INPUTS = 6
# By case and device; the cases are modules' constants. To plan them all takes seconds.
_VARIANTS: dict[tuple[int, DeviceInfo], tuple[str, ...]] = {}


def repetitions(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Of the tests that take a case: those whose case brings nothing new to their function."""
    known: dict[object, set[Hashable]] = collections.defaultdict(set)
    found_of: dict[tuple[int, DeviceInfo | None], tuple[Traits, Traits]] = {}
    found = []
    for item in items:
        parameters = getattr(item, "callspec", None) and item.callspec.params
        if not parameters or not isinstance(case := parameters.get("case"), Case):
            continue
        others = tuple(str(v) for name, v in parameters.items() if name != "case")
        device = parameters.get("device")
        key = id(case), device
        if key not in found_of:
            variants, (graph, _) = variants_of(case, device), case.build()
            own = _own_traits(case, graph, variants)
            found_of[key] = own, _shared_traits(graph, variants)
        alike = case.op if device is None else family(case.op)
        own, shared = found_of[key]
        before = known[item.function, others, "own", case.op]
        before_alike = known[item.function, others, "shared", alike]
        if own <= before and shared <= before_alike:
            found.append(item)
        before |= own
        before_alike |= shared
    return found


def family(op: str) -> str:
    """The module that the operator's kernels come from; the operator itself if it has none."""
    variants = VARIANTS.get(op)
    return variants[0].lower.__module__ if variants else op


def traits_of(case: Case, graph: Graph, variants: tuple[str, ...]) -> Traits:
    """Whatever may be new about a case."""
    return _own_traits(case, graph, variants) | _shared_traits(graph, variants)


def _own_traits(case: Case, graph: Graph, variants: tuple[str, ...]) -> Traits:
    """What is new once for each operator: how its nodes, attributes and types change what it computes."""
    node = graph.nodes[0]
    found: set[Hashable] = {("nodes", tuple(n.op for n in graph.nodes[:3]))}
    found |= {(name, kind_of(value)) for name, value in node.attrs.items()}
    for index, name in enumerate(node.inputs[:_MOST_INPUTS]):
        spec = graph.specs.get(name)
        if spec is not None:
            found.add(("type", index, str(spec.dtype)))
    for place, operand in enumerate(case.inputs):  # a Cast may stand before the node
        if operand is not None:
            found.add(("fed", place, operand.dtype))
    found |= {("variant", name) for name in variants}
    return frozenset(found)


def _shared_traits(graph: Graph, variants: tuple[str, ...]) -> Traits:
    """What is new once for all operators of the same kernels: where values lie, and what reads them."""
    names = graph.nodes[0].inputs[:_MOST_INPUTS]
    found: set[Hashable] = {("variants", variants)}
    found.add(("present", tuple(bool(name) for name in names)))
    found.add(("constant", tuple(name in graph.constants for name in names)))
    for index, name in enumerate(names):
        spec = graph.specs.get(name)
        if spec is not None and spec.shape is not None:
            found.add(("rank", index, len(spec.shape)))
    return frozenset(found)


def variants_of(case: Case, device: DeviceInfo | None) -> tuple[str, ...]:
    """The variants that apply to a case on the test's device."""
    if device is None or not OPS[case.op].has_kernel:
        return ()
    from tests.kernels.support import applicable

    key = id(case), device
    if key not in _VARIANTS:
        _VARIANTS[key] = applicable(case, device)
    return _VARIANTS[key]


def kind_of(value: object) -> Hashable:
    """Values that tests need not tell apart are one kind: integers from 3 on, floats of one sign."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return max(-3, min(int(value), 3))
    if isinstance(value, float):
        return value if value in (0.0, 1.0) else (value > 0) - (value < 0)
    if isinstance(value, (tuple, list)):
        return len(value), frozenset(kind_of(v) for v in value)
    return type(value).__name__

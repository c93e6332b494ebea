"""Which cases of a test the quick run leaves to --whole: those in which nothing is new.

Cases are read in order. One is new if anything about it did not occur in an earlier case of its operator: an attribute's
value, an element type, a rank, a missing or a constant input, the set of variants that apply.
"""

from __future__ import annotations

import collections
from collections.abc import Hashable, Iterable

import numpy as np
import pytest

from clconv.cases import Case
from clconv.device.info import DeviceInfo
from clconv.graph.ops import OPS

_MOST_INPUTS = 6


def repetitions(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Of the tests that take a case: those whose case brings nothing new to their function."""
    known: dict[object, set[Hashable]] = collections.defaultdict(set)
    traits_of: dict[tuple[int, DeviceInfo | None], frozenset[Hashable]] = {}
    found = []
    for item in items:
        parameters = getattr(item, "callspec", None) and item.callspec.params
        if not parameters or not isinstance(case := parameters.get("case"), Case):
            continue
        others = tuple(str(v) for name, v in parameters.items() if name != "case")
        device = parameters.get("device")
        key = id(case), device
        if key not in traits_of:
            traits_of[key] = _traits(case) | _variants(case, device)
        before = known[item.function, others, case.op]
        traits = traits_of[key]
        if traits <= before:
            found.append(item)
        before |= traits
    return found


def _traits(case: Case) -> frozenset[Hashable]:
    graph, _ = case.build()
    node = graph.nodes[0]
    found: set[Hashable] = {("nodes", tuple(n.op for n in graph.nodes[:3]))}
    found |= {(name, _kind(value)) for name, value in node.attrs.items()}
    names = node.inputs[:_MOST_INPUTS]
    found.add(("present", tuple(bool(name) for name in names)))
    found.add(("constant", tuple(name in graph.constants for name in names)))
    for index, name in enumerate(names):
        spec = graph.specs.get(name)
        if spec is not None and spec.shape is not None:
            found |= {("type", index, str(spec.dtype)), ("rank", index, len(spec.shape))}
    return frozenset(found)


def _variants(case: Case, device: DeviceInfo | None) -> frozenset[Hashable]:
    """The variants of a case on the test's device. Each stands alone, and with what else applies."""
    if device is None or not OPS[case.op].has_kernel:
        return frozenset()
    from tests.kernels.support import plans

    names = tuple(name for name, _ in plans(case, device))
    return frozenset({("variants", names)})


def _kind(value: object) -> Hashable:
    """Values that tests need not tell apart are one kind: integers from 3 on, floats of one sign."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return max(-3, min(int(value), 3))
    if isinstance(value, float):
        return value if value in (0.0, 1.0) else (value > 0) - (value < 0)
    if isinstance(value, (tuple, list)):
        return len(value), frozenset(_kind(v) for v in value)
    return type(value).__name__

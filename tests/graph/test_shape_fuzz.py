"""Whatever is done to a case's shapes, a shape rule answers with specs or with an error of ours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.errors import ClconvError
from clconv.graph.evaluate import evaluate_node, infer_node, settle_node
from clconv.graph.ir import Constant
from clconv.graph.ops import OPS, make_node
from tests.conftest import asks_for_all

BY_OP = {op: [c for c in CASES if c.op == op] for op in sorted({c.op for c in CASES})}


def mutations(array: np.ndarray) -> Iterator[np.ndarray]:
    """The same tensor with an axis less, an axis more, one element more or less along an axis."""
    yield array.reshape(-1)
    yield array[None]
    yield array.reshape(-1)[:1].reshape(()) if array.size else np.zeros((), array.dtype)
    for axis in range(array.ndim):
        yield np.concatenate([array, array.take([0], axis)], axis) if array.shape[axis] else array
        yield array.take(range(max(0, array.shape[axis] - 1)), axis)
        yield array.take([], axis)
    if array.dtype.kind == "i" and array.size:
        yield array - 3
        yield array + 5


@pytest.mark.parametrize("op", list(BY_OP))
def test_changed_shapes_never_crash_a_rule(op: str, request: pytest.FixtureRequest) -> None:
    for case in BY_OP[op][: 12 if asks_for_all(request.config) else 5]:
        arrays = case.arrays()
        for i, array in enumerate(arrays):
            for changed in mutations(array) if array is not None else ():
                attempt(case, [*arrays[:i], changed, *arrays[i + 1 :]])


def attempt(case: Case, arrays: list[np.ndarray | None]) -> None:
    """What a rule accepts, the reference can compute, and it has the inferred shapes."""
    names = ["" if a is None else f"in{i}" for i, a in enumerate(arrays)]
    constants = {n: Constant(a.copy()) for n, a in zip(names, arrays, strict=True) if a is not None}
    node = make_node(case.op, names, [f"out{i}" for i in range(case.outputs)], "n", **case.attrs)
    try:
        node = settle_node(node, {}, constants)
        specs = infer_node(node, {}, constants)
        if sum(s.size for s in specs) > 1 << 16:
            return
        results = evaluate_node(node, arrays)
    except ClconvError:
        return
    for spec, result in zip(specs, results, strict=False):
        assert result.shape == spec.shape and result.dtype == spec.dtype.numpy, (case.name, node)


def test_every_operator_with_cases_is_tried() -> None:
    assert set(BY_OP) <= set(OPS)

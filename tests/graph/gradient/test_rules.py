"""Every gradient rule against differences of its operator's reference, over all cases."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.graph.ops import OPS
from tests.graph.gradient.adjoint import in_float64, worst_error

# Inputs whose values the shapes follow from: they are no variables.
FIXED = {"Resize": ("in1", "in2")}


def has_gradient(case: Case) -> bool:
    hooks = OPS[case.op].hooks
    return hooks is not None and hooks.gradient is not None


@pytest.mark.parametrize("case", [c for c in CASES if has_gradient(c)], ids=lambda c: c.name)
def test_gradients_are_derivatives(case: Case) -> None:
    graph, feeds = case.build()
    graph = in_float64(graph)
    wide = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in feeds.items()}
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    errors = worst_error(graph, wide, rng, FIXED.get(case.op, ()))
    assert all(error < 1e-6 for error in errors.values()), errors

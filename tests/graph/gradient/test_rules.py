"""Every gradient rule against differences of its operator's reference, over all cases."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.errors import UnsupportedError
from clconv.graph.ops import OPS
from tests.graph.gradient.adjoint import in_float64, worst_error
from tests.graph.gradient.interior import STRAIGHT_THROUGH, fixed, inside, refused


def has_gradient(case: Case) -> bool:
    """By a rule, or by those of the operators that it is written with."""
    op = OPS[case.op]
    known = op.hooks is not None and op.hooks.gradient is not None
    return (op.always_expands or known) and case.op not in STRAIGHT_THROUGH


@pytest.mark.parametrize("case", [c for c in CASES if has_gradient(c)], ids=lambda c: c.name)
def test_gradients_are_derivatives(case: Case) -> None:
    graph, feeds = case.build()
    graph = in_float64(graph)
    wide = {
        n: a.astype(np.float64) if a.dtype.kind == "f" else a
        for n, a in inside(case, feeds).items()
    }
    rng = np.random.default_rng(zlib.crc32(case.name.encode()))
    if refused(case):
        with pytest.raises(UnsupportedError, match="no second derivative"):
            worst_error(graph, wide, rng, fixed(case))
        return
    errors = worst_error(graph, wide, rng, fixed(case))
    assert all(error < 1e-6 for error in errors.values()), errors

"""Gradient: the derivatives of values with respect to others, written out once all specs are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from clconv.errors import UnsupportedError
from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register


def _infer(call: Call) -> Sequence[TensorSpec]:
    count = call.attrs.results
    for i in range(len(call.specs)):
        call.expect(call.spec(i).dtype.is_float, f"input {i} must hold floats")
    return [call.spec(i) for i in range(count, len(call.specs))]


def _reference(at: Any, *arrays: np.ndarray) -> NoReturn:
    raise UnsupportedError(
        "a Gradient has no value of its own: clconv.gradients() or a session write it out"
    )


register(
    Op(
        "Gradient",
        _infer,
        _reference,
        attributes={"results": 1, "segments": 1},
        inputs=(2, None),
        folds=False,
        always_expands=True,
    )
)
"""inputs: `results` values, whose sum is differentiated, then those with respect to which. outputs: a gradient for
each of the latter, of its shape. segments: into how many the way is cut whose values are computed anew, see
graph/specialise/recompute.py. graph/specialise/differentiate.py writes it out."""

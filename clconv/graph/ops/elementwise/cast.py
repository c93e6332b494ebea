"""Cast and CastLike: floats to integers are cut towards zero and at the limits, anything to bool is "not zero"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.movement.create import known_dtype
from clconv.graph.ops.numeric import converted, move_cost
from clconv.graph.rules import images, known, transposed
from clconv.graph.rules.gradient import movement as gradient


def _infer(call: Call) -> Sequence[TensorSpec]:
    return [TensorSpec(call.spec(0).shape, known_dtype(call, call.attrs.to))]


def _infer_like(call: Call) -> Sequence[TensorSpec]:
    return [TensorSpec(call.spec(0).shape, call.spec(1).dtype)]


# `to` is NumPy's name of the dtype. saturate and round_mode only matter for 8-bit floats, which
# clconv does not have; they are carried so that a model can be written back as it was.
_FLOAT8 = {"saturate": 1, "round_mode": "up"}


def _like(at: Any, x: np.ndarray, like: np.ndarray) -> np.ndarray:
    return converted(x, like.dtype)


register(
    Op(
        "Cast",
        _infer,
        lambda at, x: converted(x, at.to),
        move_cost,
        {"to": REQUIRED, **_FLOAT8},
        hooks=Hooks(
            known=known.cast,
            shape_input=None,
            transposed=transposed.pointwise,
            images=images.first,
            half=Half.EXACT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.cast,
        ),
    )
)
register(
    Op(
        "CastLike",
        _infer_like,
        _like,
        move_cost,
        _FLOAT8,
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.EXACT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.cast,
        ),
    )
)

"""Random numbers: other ones at every run, unless a seed is given, which makes every run the same.

They come from the host, so that no device needs a generator. No other engine draws the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Op, register
from clconv.graph.ops.movement.create import infer_filled, known_dtype
from clconv.graph.ops.numeric import move_cost


def _generator(at: Any) -> np.random.Generator:
    """A seed is a float in ONNX: its bits are the generator's seed."""
    if at.seed is None:
        return np.random.default_rng()
    return np.random.default_rng(int(np.array(at.seed, np.float32).view(np.uint32)))


def _normal(at: Any, shape: np.ndarray) -> np.ndarray:
    values = _generator(at).normal(at.mean, at.scale, tuple(shape.reshape(-1)))
    return np.asarray(values).astype(at.dtype)


def _uniform(at: Any, shape: np.ndarray) -> np.ndarray:
    values = _generator(at).uniform(at.low, at.high, tuple(shape.reshape(-1)))
    return np.asarray(values).astype(at.dtype)


def _infer_multinomial(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    call.expect(x.rank == 2 and x.shape[1], "the input must be (batch, classes)")
    call.expect(call.attrs.sample_size >= 0, f"sample_size {call.attrs.sample_size} is negative")
    shape = (x.shape[0], call.attrs.sample_size)
    return [TensorSpec(shape, known_dtype(call, call.attrs.dtype))]


def _multinomial(at: Any, x: np.ndarray) -> np.ndarray:
    """Classes drawn by their unnormalised log-probabilities: the largest of them plus Gumbel noise."""
    noise = _generator(at).gumbel(size=(x.shape[0], at.sample_size, x.shape[1]))
    return np.argmax(x[:, None, :] + noise, -1).astype(at.dtype)


_COMMON = {"dtype": REQUIRED, "seed": None}
register(
    Op(
        "RandomNormal", infer_filled, _normal, move_cost, {**_COMMON, "mean": 0.0, "scale": 1.0},
        host_only=True, folds=False,
    )
)  # fmt: skip
register(
    Op(
        "RandomUniform", infer_filled, _uniform, move_cost, {**_COMMON, "low": 0.0, "high": 1.0},
        host_only=True, folds=False,
    )
)  # fmt: skip
register(
    Op(
        "Multinomial", _infer_multinomial, _multinomial, move_cost, {**_COMMON, "sample_size": 1},
        host_only=True, folds=False,
    )
)  # fmt: skip

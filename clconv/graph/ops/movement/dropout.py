"""Dropout: at inference the input itself, in training elements dropped at random (Srivastava et al. 2014).

y = x / (1 - ratio) where the element is kept, else 0; the second output says where. What is kept follows from the
attribute seed, the element's index and, beyond ONNX, the input `random` = (seed, step): the same numbers drop the same
elements on every device, another step drops others. Without that input both are 0: every run drops the same elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.movement.philox import random_words
from clconv.graph.ops.numeric import expect_kind, move_cost
from clconv.graph.rules import known, transposed
from clconv.graph.rules.gradient.dropout import dropout


def _infer(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    if call.has(1):
        expect_kind(call, 1, "float")
        call.expect(call.spec(1).size == 1, "the ratio must hold one value")
        ratio = call.values[1]
        fits = ratio is None or 0 <= ratio.reshape(-1)[0] < 1
        call.expect(fits, f"ratio {ratio} must be at least 0 and below 1")
    if call.has(2) and call.value(2).any():
        expect_kind(call, 0, "float")
    if call.has(3):
        given = call.spec(3)
        call.expect(
            given.dtype is DType.INT64 and given.shape == (2,), "seed and step must be int64 (2)"
        )
    return [TensorSpec(x.shape, x.dtype), TensorSpec(x.shape, DType.BOOL)]


def threshold(ratio: np.ndarray | None) -> int:
    """Words below it drop their element."""
    return int(0.5 * 2**32 if ratio is None else float(np.float32(ratio.reshape(-1)[0])) * 2**32)


def key_of(seed: int, random: Sequence[int]) -> tuple[int, int]:
    """The generator's key: the halves of both seeds, crossed over: below 2^32 no two pairs of seeds share one."""
    own, given = seed % 2**64, random[0] % 2**64
    return (given ^ own >> 32) & 0xFFFFFFFF, (own ^ given >> 32) & 0xFFFFFFFF


def _reference(
    at: Any,
    x: np.ndarray,
    ratio: np.ndarray | None = None,
    training: np.ndarray | None = None,
    random: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    if training is None or not training.any():
        return x, np.ones(x.shape, np.bool_)
    seed, step = (0, 0) if random is None else (int(v) for v in random)
    words = random_words(x.size, step % 2**64, key_of(at.seed, (seed, step)))
    mask = (words >= np.uint64(threshold(ratio))).reshape(x.shape)
    kept = 1 - (0.5 if ratio is None else np.float64(ratio.reshape(-1)[0]))
    return np.where(mask, x / kept, 0).astype(x.dtype), mask


register(
    Op(
        "Dropout",
        _infer,
        _reference,
        move_cost,
        {"seed": 0},
        inputs=(1, 4),
        hooks=Hooks(
            known=known.same_as_input,
            shape_input=None,
            transposed=transposed.dropout,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=dropout,
        ),
    )
)

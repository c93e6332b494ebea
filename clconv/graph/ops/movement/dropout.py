"""Dropout: at inference the input itself, in training elements dropped at random (Srivastava et al. 2014).

y = x / (1 - ratio) where the element is kept, else 0; the second output says where. What is kept follows from the
attribute seed, the element's index and, beyond ONNX, the input `random` = (seed, step): the same numbers drop the same
elements on every device, another step drops others. Without that input both are 0: every run drops the same elements.

generator "numpy" is for ONNX nodes with a seed: NumPy's RandomState draws in the host's memory what ONNX's reference
draws, and the node is written with others. It is for no training: every step would drop the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Call, Expansion, Op, register
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


NUMPY = "numpy"


def uniform_numbers(seed: int, shape: Sequence[int]) -> np.ndarray:
    """float32 of 0 <= u < 1, on the same side of each float32 as what RandomState draws."""
    drawn = np.asarray(np.random.RandomState(seed).uniform(0, 1, tuple(shape)))
    found = drawn.astype(np.float32)
    return np.where(found > drawn, np.nextafter(found, np.float32(0)), found)


def _expand(expansion: Expansion) -> bool:
    call = expansion.call
    if call.attrs.generator != NUMPY or call.has(3) or not (call.has(2) and call.value(2).any()):
        return False
    x, inputs = call.spec(0), call.node.inputs

    def one(op: str, *operands: str, **attrs: Any) -> str:
        return expansion.emit(op, *operands, **attrs)[0]

    ratio = expansion.constant(np.array(0.5, np.float32), "ratio")
    if call.has(1):
        ratio = one("Reshape", one("Cast", inputs[1], to="float32"), expansion.ints())
    drawn = expansion.constant(uniform_numbers(call.attrs.seed, x.shape), "drawn")
    mask = one("GreaterOrEqual", drawn, ratio)
    kept = one("Sub", expansion.constant(np.array(1, np.float32), "one"), ratio)
    scale = one("Cast", one("Reciprocal", kept), to=x.dtype.value)
    weighted = one("Mul", one("Cast", mask, to=x.dtype.value), inputs[0])
    expansion.result(one("Mul", weighted, scale))
    expansion.result(mask, 1)
    return True


def _reference(
    at: Any,
    x: np.ndarray,
    ratio: np.ndarray | None = None,
    training: np.ndarray | None = None,
    random: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    if training is None or not training.any():
        return x, np.ones(x.shape, np.bool_)
    if at.generator == NUMPY and random is None:
        mask = uniform_numbers(at.seed, x.shape) >= (0.5 if ratio is None else ratio.reshape(()))
    else:
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
        {"seed": 0, "generator": "philox"},
        inputs=(1, 4),
        expand=_expand,
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

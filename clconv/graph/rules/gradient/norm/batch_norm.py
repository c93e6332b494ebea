"""Gradients of BatchNormalization, from the statistics that the forward pass leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def batch_norm(back: Backward) -> Sequence[str]:
    if back.attrs.training_mode:
        return _training(back)
    mean, variance = back.input(3), back.input(4)
    raised = back.add(variance, back.number(back.attrs.epsilon, back.spec(4).dtype))
    inverse = back.cast(back.one("Reciprocal", back.one("Sqrt", raised)), back.spec(3).dtype)
    dx, dscale, dbias = _operator(back, mean, inverse, training_mode=0)
    found = [dx, dscale, dbias, "", ""]
    scale, dtype = back.cast(back.input(1), back.spec(3).dtype), back.spec(3).dtype
    slope = back.mul(scale, inverse)
    if back.wants(3):
        found[3] = back.neg(back.mul(back.cast(dbias, dtype), slope))
    if back.wants(4):  # d(1 / deviation) / dvariance = -1/2 (1 / deviation)^3
        cube = back.mul(slope, back.mul(inverse, back.number(-0.5, dtype)))
        found[4] = back.cast(back.mul(back.cast(dscale, dtype), cube), back.spec(4).dtype)
    return found


def _training(back: Backward) -> Sequence[str]:
    outputs = back.node.outputs
    kept = outputs if len(outputs) == 5 and all(outputs[3:]) else back.again(5)
    mean, inverse = kept[3:]
    found = [*_operator(back, mean, inverse, training_mode=1), "", ""]
    if any(back.has_gradient(i) for i in range(1, 5)):
        _through_statistics(back, found, mean, inverse)
    return found


def _through_statistics(back: Backward, found: list[str], mean: str, inverse: str) -> None:
    """Adds what comes by the statistics, which training does not ask for: running ones are kept, not learned."""
    momentum = back.attrs.momentum
    wide = back.spec_of(mean).dtype

    def scaled(index: int, factor: float) -> str:
        return back.mul(back.cast(back.gradient(index), wide), back.number(factor, wide))

    found[3:] = [back.cast(scaled(i, momentum), back.spec(i + 2).dtype) for i in (1, 2)]
    dmean = back.add(scaled(1, 1 - momentum), scaled(3, 1))
    cube = back.mul(inverse, back.mul(inverse, inverse))
    dvariance = back.add(scaled(2, 1 - momentum), back.mul(scaled(4, -0.5), cube))
    shape = back.spec().shape
    by_channel = (shape[1], *[1] * (len(shape) - 2))
    count = math.prod(shape) // max(1, shape[1])

    def by_image(name: str) -> str:
        return back.reshape(back.cast(name, back.spec().dtype), by_channel)

    centred = back.sub(back.input(), by_image(mean))
    shares = (
        back.mul(dmean, back.number(1 / count, wide)),
        back.mul(dvariance, back.number(2 / count, wide)),
    )
    slope = back.add(back.mul(centred, by_image(shares[1])), by_image(shares[0]))
    found[0] = back.add(found[0], slope)


def _operator(back: Backward, mean: str, inverse: str, training_mode: int) -> list[str]:
    return back.emit(
        "BatchNormalizationGradient",
        back.input(0),
        back.gradient(),
        back.input(1),
        mean,
        inverse,
        outputs=3,
        training_mode=training_mode,
    )

"""Cases of the normalisations: one channel, odd channels, large means, few and many elements."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from clconv.cases.base import Case, Operand, data, weight


def batch(label: str, *shape: int, **attrs: Any) -> Case:
    c = shape[1]
    positive = weight(c, low=0.2, high=3.0)
    return Case(
        "BatchNormalization",
        label,
        (data(*shape), weight(c), weight(c), weight(c), positive),
        attrs,
    )


def trained(label: str, x: Operand, outputs: int = 5, fed: bool = False, **attrs: Any) -> Case:
    """Statistics of the batch. fed: scale, bias and running statistics are no constants, as while they are learned."""
    c = x.shape[1]
    others = [weight(c), weight(c), weight(c), weight(c, low=0.2, high=3.0)]
    if fed:
        others = [dataclasses.replace(o, constant=False) for o in others]
    return Case("BatchNormalization", label, (x, *others), {**attrs, "training_mode": 1}, outputs)


def batch_gradient(label: str, x: Operand, mean: float = 0.0, training: int = 1) -> Case:
    """mean: what the statistics say, near the one of x."""
    c, dy = x.shape[1], data(*x.shape)
    near = (
        weight(c, low=mean - 0.1, high=mean + 0.1) if mean < 100 else weight(c, values=[mean] * c)
    )
    others = (data(c), near, data(c, low=0.5, high=2.0))
    return Case(
        "BatchNormalizationGradient", label, (x, dy, *others), {"training_mode": training}, 3
    )


def affine(op: str, label: str, x: Operand, channels: int, **attrs: Any) -> Case:
    return Case(op, label, (x, weight(channels), weight(channels)), attrs)


def trailing(
    op: str,
    label: str,
    x: tuple[int, ...],
    scale: tuple[int, ...],
    bias: bool = False,
    **attrs: Any,
) -> Case:
    extra = (weight(*scale),) if bias else ()
    return Case(op, label, (data(*x), weight(*scale), *extra), attrs)


def far(*shape: int, mean: float = 40000.0, spread: float = 0.02) -> Operand:
    """Data whose mean is large beside its deviation: float32's steps are half of the spread, the mean lies between."""
    count = math.prod(shape)
    values = np.float32(mean) + np.float32(spread) * (np.arange(count) * 7919 % 13 / 13 - 0.31)
    return Operand(tuple(shape), values=values.astype(np.float32))


def far_cases() -> tuple[Case, ...]:
    """Every normalisation with a mean, of rows that are short, long enough to be split, and of odd lengths."""
    found = []
    for mean, spread in (
        (40000.0, 0.02),
        (1000.0, 1e-3),
        (-80000.0, 0.05),
        (1e6, 0.5),
        (3e5, 30.0),
    ):
        label = f"mean {mean:g}"
        found += [
            affine("InstanceNormalization", label, far(2, 3, 17, 19, mean=mean, spread=spread), 3),
            affine(
                "GroupNormalization",
                label,
                far(2, 6, 5, 7, mean=mean, spread=spread),
                6,
                num_groups=2,
            ),
            Case(
                "LayerNormalization",
                label,
                (far(3, 16, mean=mean, spread=spread), weight(16), weight(16)),
                outputs=3,
            ),
            Case(
                "LayerNormalization",
                f"{label}, long",
                (far(2, 4 * 2053, mean=mean, spread=spread), weight(4 * 2053)),
            ),
            Case(
                "LayerNormalization",
                f"{label}, scale by row",
                (far(2, 3, 4, 9, mean=mean, spread=spread), weight(3, 4, 1)),
                {"axis": 2},
            ),
            Case("MeanVarianceNormalization", label, (far(2, 5, 7, 6, mean=mean, spread=spread),)),
            Case(
                "MeanVarianceNormalization",
                f"{label}, last axes",
                (far(2, 5, 7, 6, mean=mean, spread=spread),),
                {"axes": (2, 3)},
            ),
        ]
    return tuple(found)


def batch_cases() -> tuple[Case, ...]:
    """BatchNormalization while it is trained, and its gradient."""
    shapes = {
        "2-D": (2, 16, 7, 9),
        "primes": (3, 13, 11, 5),
        "dense": (5, 19),
        "1-D": (2, 7, 23),
        "3-D": (2, 5, 3, 4, 2),
        "one channel": (2, 1, 6, 5),
        "one pixel": (7, 11, 1, 1),
        "one element": (1, 3, 1, 1),
        "long": (2, 17, 61, 53),
        "long, one channel": (1, 1, 3, 4099),
        "many images": (67, 8, 3, 3),
    }
    found = [trained(f"trained {label}", data(*shape)) for label, shape in shapes.items()]
    found += [batch_gradient(label, data(*shape)) for label, shape in shapes.items()]
    found += [
        trained("trained, fed", data(2, 9, 5, 7), fed=True, momentum=0.6, epsilon=1e-2),
        trained("trained, one output", data(2, 9, 5, 7), outputs=1),
        trained("trained, three outputs", data(2, 9, 5, 7), outputs=3),
        batch_gradient("frozen", data(2, 9, 5, 7), training=0),
        batch_gradient("frozen dense", data(5, 19), training=0),
    ]
    for mean, spread in ((40000.0, 0.02), (1e6, 0.5), (-3e5, 30.0)):
        x = far(2, 9, 37, 19, mean=mean, spread=spread)
        found += [trained(f"trained, mean {mean:g}", x), batch_gradient(f"mean {mean:g}", x, mean)]
    return tuple(found)


def lrn_cases() -> tuple[Case, ...]:
    """LRN and its gradient."""
    found = [
        Case("LRN", "size 5", (data(1, 16, 5, 6),), {"size": 5, "alpha": 0.3}),
        Case("LRN", "even size", (data(2, 7, 3, 5),), {"size": 4, "alpha": 0.5, "beta": 0.5}),
        Case(
            "LRN",
            "wider than channels",
            (data(1, 3, 4, 4),),
            {"size": 9, "bias": 2.0, "alpha": 1.0},
        ),
        Case("LRN", "odd beta", (data(1, 19, 5, 4),), {"size": 3, "alpha": 1.0, "beta": 0.6}),
        Case("LRN", "size 2", (data(1, 24, 3, 3),), {"size": 2, "alpha": 1.0, "beta": 1.0}),
        Case("LRN", "one channel", (data(1, 1, 5, 4),), {"size": 1}),
    ]
    gradients = [
        dataclasses.replace(case, op="LRNGradient", inputs=(x, data(*x.shape)))
        for case in found
        if (x := case.inputs[0]) is not None
    ]
    return (*found, *gradients)


OUTLIERS = Operand(
    (3, 200), values=[1e5, *[0.5, -0.25] * 99, 1.0, *[3.0] * 199, -1e6, *[1e-3, 2e-3] * 100]
)
CASES = (
    *far_cases(),
    Case("LayerNormalization", "outliers", (OUTLIERS, weight(200))),
    Case(
        "LayerNormalization",
        "constant rows",
        (Operand((3, 40), values=[0.1] * 40 + [1e5] * 40 + [0.0] * 40), weight(40)),
    ),
    Case(
        "LayerNormalization",
        "not finite",
        (
            Operand(
                (4, 16),
                values=[
                    *[math.nan, *range(15)],
                    *[math.inf, *range(15)],
                    *[-math.inf, *range(15)],
                    *range(16),
                ],
            ),
            weight(16),
        ),
    ),
    batch("2-D", 1, 16, 7, 9),
    batch("primes", 3, 13, 11, 5, epsilon=1e-3),
    batch("dense", 5, 19),
    batch("1-D", 2, 7, 23),
    batch("3-D", 1, 5, 3, 4, 2),
    batch("one channel", 1, 1, 6, 5),
    *batch_cases(),
    *lrn_cases(),
    affine("InstanceNormalization", "2-D", data(2, 13, 7, 9), 13),
    affine("InstanceNormalization", "1-D", data(1, 5, 31), 5, epsilon=1e-2),
    affine("InstanceNormalization", "3-D", data(1, 3, 4, 5, 2), 3),
    affine("InstanceNormalization", "one pixel", data(1, 6, 1, 1), 6),
    affine("InstanceNormalization", "large mean", data(1, 3, 17, 19, low=99.0, high=101.0), 3),
    affine("InstanceNormalization", "long rows", data(1, 2, 71, 73), 2),
    affine(
        "InstanceNormalization", "long, large mean", data(2, 1, 44, 53, low=99.0, high=101.0), 1
    ),
    affine("GroupNormalization", "long rows", data(1, 6, 37, 31), 6, num_groups=2),
    affine("GroupNormalization", "4 groups", data(2, 12, 5, 7), 12, num_groups=4),
    affine("GroupNormalization", "1 group", data(1, 7, 6, 5), 7, num_groups=1),
    affine("GroupNormalization", "group each", data(1, 5, 6, 3), 5, num_groups=5),
    affine("GroupNormalization", "1-D", data(2, 9, 13), 9, num_groups=3),
    trailing("LayerNormalization", "last axis", (3, 7, 65), (65,), True),
    trailing("LayerNormalization", "no bias", (5, 33), (33,)),
    trailing("LayerNormalization", "two axes", (2, 3, 5, 7), (5, 7), True, axis=2),
    trailing("LayerNormalization", "broadcast scale", (2, 3, 5), (1, 5), True, axis=1),
    trailing("LayerNormalization", "one column", (2, 5, 3, 1), (5, 3, 1), True, axis=1),
    trailing("LayerNormalization", "scale by row", (2, 3, 4, 9), (3, 4, 1), True, axis=2),
    trailing("LayerNormalization", "scale by line", (2, 3, 4, 9), (3, 4, 1), True, axis=3),
    trailing("LayerNormalization", "all axes", (3, 4), (3, 4), True, axis=0),
    Case(
        "LayerNormalization", "statistics", (data(3, 4, 11), weight(11), weight(11)), {}, outputs=3
    ),
    Case(
        "LayerNormalization",
        "long statistics",
        (data(2, 2053), weight(2053), weight(2053)),
        {},
        outputs=3,
    ),
    trailing("LayerNormalization", "long rows", (1, 9000), (9000,), True),
    trailing("RMSNormalization", "long row", (1, 4, 1031), (4, 1031), axis=1),
    Case("MeanVarianceNormalization", "long rows", (data(1, 2, 47, 51),), {"axes": (2, 3)}),
    trailing("RMSNormalization", "last axis", (3, 7, 65), (65,)),
    trailing("RMSNormalization", "two axes", (2, 3, 5, 7), (5, 7), axis=-2, epsilon=1e-3),
    Case("LpNormalization", "long rows", (data(2, 1029),)),
    Case("LpNormalization", "p 2 last", (data(3, 5, 17),)),
    Case("LpNormalization", "p 1 channels", (data(2, 7, 4, 5),), {"axis": 1, "p": 1}),
    Case("LpNormalization", "zeros", (Operand((2, 3), values=[0, 0, 0, 3, 0, 4]),), {"axis": 1}),
    Case("MeanVarianceNormalization", "default axes", (data(2, 5, 7, 6),)),
    Case("MeanVarianceNormalization", "spatial axes", (data(2, 5, 7, 6),), {"axes": (2, 3)}),
)

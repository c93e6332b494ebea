"""Cases of Dropout: inference, sizes around a vector's, few and many dropped, seeds and steps."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data, weight

_YES = weight(dtype="bool", values=True)


def trained(
    label: str, *shape: int, ratio: float | None = 0.5, random: Any = None, **attrs: Any
) -> Case:
    given = None if ratio is None else weight(values=ratio)
    more = () if random is None else (Operand((2,), "int64", values=random),)
    return Case("Dropout", label, (data(*shape), given, _YES, *more), attrs, outputs=2)


CASES = (
    Case("Dropout", "inference", (data(2, 7, 3),)),
    Case("Dropout", "mask", (data(2, 7), weight(values=0.7)), outputs=2),
    trained("training", 3, 41),
    trained("training, no ratio", 5, 7, ratio=None),
    trained("training, one element", 1),
    trained("training, whole vectors", 4, 64, ratio=0.25, seed=7),
    trained("training, images", 2, 5, 7, 3, ratio=0.9),
    trained("training, nothing dropped", 2, 33, ratio=0.0),
    trained("training, long", 3, 20011, ratio=0.1, seed=3),
    trained("training, step", 3, 41, random=(17, 5), seed=1),
    trained("training, large seeds", 3, 41, random=(-(2**62) + 12345, 2**40 + 3), seed=2**35 + 9),
    trained("training, NumPy's numbers", 3, 41, ratio=0.3, seed=4, generator="numpy"),
    Case(
        "Dropout", "training, fed ratio", (data(3, 41), Operand((), values=0.3), _YES), {"seed": 2}
    ),
)

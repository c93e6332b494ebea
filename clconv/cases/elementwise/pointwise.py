"""Cases of Pointwise: what optimisers do, several results, numbers known and not, every operator that may be a step."""

from __future__ import annotations

from clconv.cases.base import Case, data, weight
from clconv.graph.ops.elementwise.pointwise import STEPS, arity

# w, g, v, decay, momentum, rate -> v, w
SGD = (
    ("Mul", 0, 3), ("Add", 1, -1), ("Mul", 2, 4), ("Add", -3, -2), ("Mul", -4, 5), ("Sub", 0, -5),
)  # fmt: skip


def _every() -> tuple[tuple[object, ...], ...]:
    """Each operator that may be a step, of two positive inputs."""
    return tuple((op, *(0, 1)[: arity(op)]) for op in sorted(STEPS))


CASES = (
    Case(
        "Pointwise",
        "momentum, an odd size",
        (*[data(7, 3, 5, 5)] * 3, *[weight(low=0.1)] * 2, data(low=0.1)),
        {"steps": SGD, "results": (3, 5)},
        outputs=2,
    ),
    Case("Pointwise", "one element", (data(1), data()), {"steps": (("Mul", 0, 1),), "results": (0, 0)}, outputs=2),
    Case(
        "Pointwise",
        "every step",
        (data(19, low=0.2, high=0.9), data(19, low=0.2, high=0.9)),
        {"steps": _every(), "results": tuple(range(len(STEPS)))},
        outputs=len(STEPS),
    ),
    Case(
        "Pointwise",
        "double",
        (data(11, dtype="float64"), data(dtype="float64")),
        {"steps": (("Sub", 0, 1), ("Mul", -1, -1)), "results": (1,)},
        tolerance=1e-12,
    ),
)  # fmt: skip

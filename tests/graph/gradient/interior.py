"""Where the operators of the table of cases have derivatives that differences can find."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clconv.cases import Case

# Straight through on purpose: the derivative is 0.
STRAIGHT_THROUGH = frozenset({"FakeQuantize"})

# The first operand is kept away from the ends of where a function is defined.
_INSIDE: Mapping[str, tuple[float, float]] = {
    "Sqrt": (0.1, 100.0),
    "Log": (0.1, 100.0),
    "Reciprocal": (0.3, 4.0),
    "Asin": (-0.9, 0.9),
    "Acos": (-0.9, 0.9),
    "Acosh": (1.1, 100.0),
}


def inside(case: Case, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The feeds of a case, those of its first operand where the operator is differentiable."""
    found = dict(feeds)
    if case.op in _INSIDE:
        _clip(found, "in0", *_INSIDE[case.op])
    if case.name == "Pow-special_values":
        _clip(found, "in0", 0.5, 2)
        _clip(found, "in1", -3, 3)
    return found


def _clip(feeds: dict[str, np.ndarray], name: str, low: float, high: float) -> None:
    x = feeds.get(name)
    if x is not None and x.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            feeds[name] = np.clip(np.nan_to_num(x), low, high).astype(x.dtype)


def fixed(case: Case) -> tuple[str, ...]:
    """Inputs that are not differentiated."""
    if case.op == "Range":
        return ("in0", "in1", "in2")  # known before anything is planned
    if case.op == "Resize":
        return ("in1", "in2")  # the shapes follow from them
    if case.op in ("RoiAlign", "RoiAlignGradient"):
        return ("in1",)  # regions have no gradient, by convention
    if case.op == "Pow" and case.label == "square of negatives":
        return ("in1",)  # no other power of them is real
    return ()


def refused(case: Case) -> bool:
    """Whether its rule says that there is none: the second derivative of what picks maxima, or keeps an aspect ratio
    that no sizes stand for."""
    if case.name == "ResizeGradient-not_larger":
        return True
    return case.op == "RoiAlignGradient" and case.attrs.get("mode") == "max"

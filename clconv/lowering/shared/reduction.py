"""What each reduction does to an element, to two partial results and to the whole, as OpenCL C."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from clconv.lowering.model.ctext import with_limits
from clconv.records import record


@record(frozen=True)
class Reduction:
    """C texts of one reduction; T is the type they are computed in.

    start: the result of nothing. map: what is reduced, of element v (and `top`). join: two results a and b
    into one. finish: the end result of a, the count n (and `top`). shift: with it, elements are taken
    relative to the largest one; makes `top` from the largest, `top`.
    """

    start: str
    join: str
    map: str = "v"
    finish: str = "a"
    shift: str = ""

    def text(self, which: str, vector: str, **letters: str) -> str:
        """A piece with T as `vector` and letters such as a and b as the given C texts, in brackets."""
        names = {k: f"({v})" for k, v in letters.items()} | {"T": vector}
        text = with_limits(getattr(self, which), vector)
        found = re.sub(r"\b[abvT]\b", lambda m: names[m.group()], text)
        return f"({found})"

    def joined(self, total: str, element: str, vector: str) -> str:
        """C text of `total` with one more element."""
        return self.text("join", vector, a=total, b=self.text("map", vector, v=element))


_SUM = Reduction("(T)(0)", "a + b")
# A NaN among the elements is the result: the limit leaves it as it is, and it replaces what was.
_FLOAT_MAX = Reduction("(T)(-INFINITY)", "b != b ? b : CLCONV_AT_LEAST(a, b)")
_FLOAT_MIN = Reduction("(T)(INFINITY)", "b != b ? b : CLCONV_AT_MOST(a, b)")

FLOAT_REDUCTIONS: Mapping[str, Reduction] = {
    "ReduceSum": _SUM,
    "ReduceMean": dataclasses.replace(_SUM, finish="a / (T)(n)"),
    "ReduceMax": _FLOAT_MAX,
    "ReduceMin": _FLOAT_MIN,
    "ReduceProd": Reduction("(T)(1)", "a * b"),
    "ReduceL1": dataclasses.replace(_SUM, map="v < 0 ? -v : v"),
    "ReduceL2": dataclasses.replace(_SUM, map="v * v", finish="sqrt(a)"),
    "ReduceSumSquare": dataclasses.replace(_SUM, map="v * v"),
    "ReduceLogSum": dataclasses.replace(_SUM, finish="log(a)"),
    "ReduceLogSumExp": dataclasses.replace(
        _SUM,
        map="clconv_exp(v - top)",
        finish="log(a) + top",
        # An infinite or NaN largest element is not taken out; x - x is 0 for all others.
        shift="top - top == 0 ? top : (T)(0)",
    ),
}
LARGEST = _FLOAT_MAX


def norm_reduction(power: int) -> Reduction:
    """The p-norm."""
    if power <= 2:
        return FLOAT_REDUCTIONS["ReduceL1" if power == 1 else "ReduceL2"]
    return dataclasses.replace(
        _SUM, map=f"pow(fabs(v), (T)({power}))", finish=f"pow(a, (T)(1) / (T)({power}))"
    )


def integer_reduction(op: str, least: str, greatest: str) -> Reduction:
    """The reduction on integers or bool, whose range goes from least to greatest (C literals)."""
    if op == "ReduceMax":
        return Reduction(f"(T)({least})", "b > a ? b : a")
    if op == "ReduceMin":
        return Reduction(f"(T)({greatest})", "b < a ? b : a")
    return FLOAT_REDUCTIONS[op]

"""The one table of cases: CASES, by operator family."""

from clconv.cases import conv
from clconv.cases.base import Case, Operand, data, ints, weight

CASES: tuple[Case, ...] = (*conv.CASES,)

__all__ = ["CASES", "Case", "Operand", "data", "ints", "weight"]

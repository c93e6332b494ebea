"""What kernels that go point by point are made for: operands in shapes that broadcast, and terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clconv.lowering.shared.epilogue import Term, TermOperand
from clconv.records import record

Shape = tuple[int, ...]


Place = Callable[[int], TermOperand]


@record(frozen=True)
class PointWork:
    """Terms to apply to every element of the first output.

    read: inputs that are read from memory, and the shape in which each broadcasts to the output's.
    terms: what is computed, given where a kernel finds an input.
    """

    read: Mapping[int, Shape]
    terms: Callable[[Place], tuple[Term, ...]]

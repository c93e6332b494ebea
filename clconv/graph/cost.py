"""What a node's work is. Apart from the operators: a plan that is read from the disk needs none of them."""

from __future__ import annotations

from clconv.records import record


@record(frozen=True)
class Cost:
    """Work of one node: floating-point operations, and bytes read and written at least once."""

    flops: int = 0
    bytes: int = 0

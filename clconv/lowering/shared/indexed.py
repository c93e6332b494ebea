"""What kernels that find elements by indices share: types, vectors, and how rows are split among work-items."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clconv.graph.ir import TensorSpec
from clconv.lowering.copies.strided import MOST_GROUPS
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.kernel import Problem


def row_strides(shape: Sequence[int]) -> list[int]:
    """Distance between neighbours along each axis of a row-major tensor."""
    return [math.prod(shape[i + 1 :]) for i in range(len(shape))]


def move_width(problem: Problem, itemsize: int) -> int:
    """Lanes of the vectors that move elements: one on a GPU, where neighbours belong to neighbouring items."""
    return min(16, 32 // itemsize) if problem.device.is_cpu else 1


def row_chunks(problem: Problem, rows: int, columns: int) -> tuple[int, int, tuple[int, int]]:
    """(rows, columns) that one item moves, and the index space (column items, row items)."""
    if problem.device.is_cpu:
        wanted = max(4096, rows * columns // (8 * problem.device.compute_units))
        row, column = max(1, wanted // columns), min(columns, 2 * wanted)
    else:
        row, column = -(-rows // MOST_GROUPS), 1
    return row, column, (-(-columns // column), -(-rows // row))


def index_type(spec: TensorSpec) -> str:
    return C_TYPES[spec.dtype.value]

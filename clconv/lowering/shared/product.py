"""The sizes of a matrix product, and how its matrices lie in memory."""

from __future__ import annotations

import math

import numpy as np

from clconv.lowering.model.arguments import Argument, Table
from clconv.lowering.model.kernel import Problem
from clconv.records import record


@record(frozen=True)
class Product:
    """Sizes of batch x (rows x inner) (inner x columns), and how each matrix lies in memory.

    a_steps: elements from one row, and from one inner index, to the next in A; b_steps: from one inner index,
    and from one column, to the next in B. a_batches, b_batches: which matrix of A and B makes each of the result.
    """

    rows: int
    inner: int
    columns: int
    a_steps: tuple[int, int]
    b_steps: tuple[int, int]
    a_batches: tuple[int, ...] = (0,)
    b_batches: tuple[int, ...] = (0,)

    @property
    def batch(self) -> int:
        return len(self.a_batches)

    @property
    def b_count(self) -> int:
        """How many right-hand matrices there are."""
        return max(self.b_batches, default=-1) + 1

    @classmethod
    def of(cls, problem: Problem) -> Product:
        a, b = problem.x.shape, problem.input(1).shape
        if problem.node.op == "Gemm":
            rows, inner = a[::-1] if problem.node.attrs.transA else a
            columns = problem.y.shape[1]
            return cls(
                rows,
                inner,
                columns,
                (1, rows) if problem.node.attrs.transA else (inner, 1),
                (1, inner) if problem.node.attrs.transB else (columns, 1),
            )
        a = (1, *a) if len(a) == 1 else a
        b = (*b, 1) if len(b) == 1 else b
        inner, columns = b[-2:]
        steps: tuple[tuple[int, int], tuple[int, int]] = ((inner, 1), (columns, 1))
        if math.prod(b[:-2]) == 1:  # one matrix for all: the batch of A is more rows
            return cls(math.prod(a[:-1]), inner, columns, *steps)
        batch = np.broadcast_shapes(a[:-2], b[:-2])
        a_index, b_index = (
            np.broadcast_to(np.arange(math.prod(s[:-2])).reshape(s[:-2]), batch).reshape(-1)
            for s in (a, b)
        )
        return cls(a[-2], inner, columns, *steps, tuple(a_index.tolist()), tuple(b_index.tolist()))

    def batch_arguments(self) -> list[tuple[str, Argument]]:
        """Tables of the matrices to multiply; none for a single product."""
        if self.batch == 1:
            return []
        return [
            ("a_batches", Table(np.array(self.a_batches, np.int32))),
            ("b_batches", Table(np.array(self.b_batches, np.int32))),
        ]

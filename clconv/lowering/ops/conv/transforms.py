"""The matrices of Winograd's minimal filtering F(m, r): y = A' [(G g) * (B' d)].

With stride 2 the even and the odd inputs of a row are filtered separately, by the even and the odd elements of the
window: for three of them F(m, 2) on the even ones, plain products with the odd ones, 2 m + 1 in all for 3 m.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). Made by Toom and Cook's method; which
points cancel least: Barabasz, Anderson, Soodhalter and Gregg, "Error Analysis and Improving the Accuracy of Winograd
Convolution for Deep Neural Networks" (2020). F(2, r) reads each value only for the results whose windows hold it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from clconv.records import record

Matrix = tuple[tuple[float, ...], ...]


@record(frozen=True)
class Transform:
    """F(m x m, r x r) on tiles of n x n: y = A' [(G g G') * (B' d B)] A. Tiles begin m * stride apart."""

    input: Matrix  # B', n x n
    weights: Matrix  # G, n x r
    output: Matrix  # A', m x n
    stride: int = 1

    @property
    def m(self) -> int:
        return len(self.output)

    @property
    def n(self) -> int:
        return len(self.input)

    @property
    def both_weights(self) -> np.ndarray:
        """G along rows and columns, (n * n, r * r) float32: one product with a filter's elements instead of two."""
        g = np.asarray(self.weights, np.float64)
        return np.kron(g, g).astype(np.float32)

    @property
    def window(self) -> int:
        """r: rows and columns of the window."""
        return len(self.weights[0])


def _three_taps_stride_2(even: Transform) -> Transform:
    """F(m, 3) with stride 2 from F(m, 2): its rows act on the even inputs, the others pass the odd ones."""
    m, n = even.m, even.n + even.m
    spread = [tuple(0 if i % 2 else row[i // 2] for i in range(n)) for row in even.input]
    odd = [tuple(float(i == 2 * j + 1) for i in range(n)) for j in range(m)]
    return Transform(
        (*spread, *odd),
        (*((first, 0, last) for first, last in even.weights), *(((0, 1, 0),) * m)),
        tuple((*row, *(float(i == j) for i in range(m))) for j, row in enumerate(even.output)),
        stride=2,
    )


def _toom_cook(points: Sequence[Fraction], m: int, r: int) -> Transform:
    """F(m, r) from m + r - 2 points and infinity: results as values of a polynomial that is known at the points."""

    def times(p: list[Fraction], q: list[Fraction]) -> list[Fraction]:
        product = [Fraction(0)] * (len(p) + len(q) - 1)
        for (i, a), (j, b) in itertools.product(enumerate(p), enumerate(q)):
            product[i + j] += a * b
        return product

    def vanishing(roots: list[Fraction]) -> list[Fraction]:
        factors = [[-root, Fraction(1)] for root in roots]
        return functools.reduce(times, factors, [Fraction(1)])

    n = m + r - 1
    others = [[b for b in points if b != a] for a in points]
    rows = [[*vanishing(rest), Fraction(0)] for rest in others] + [vanishing([*points])]
    scales = [
        math.prod((a - b for b in rest), start=Fraction(1))
        for a, rest in zip(points, others, strict=True)
    ]
    weights = [[a**k / scale for k in range(r)] for a, scale in zip(points, scales, strict=True)]
    output = [[*(a**k for a in points), Fraction(k == m - 1)] for k in range(m)]
    assert all(len(row) == n for row in (*rows, *output))
    return Transform(
        _floats(rows),
        _floats([*weights, [Fraction(k == r - 1) for k in range(r)]]),
        _floats(output),
    )


def _floats(rows: list[list[Fraction]]) -> Matrix:
    return tuple(tuple(float(value) for value in row) for row in rows)


# Of the points that floats and products with them hold exactly, those whose transforms cancel least: 2-D tiles of F(4, 3)
# err by a quarter of what 0, 1, -1, 2, -2 do, and a large value costs others in its tile a sixth as much.
_FIVE = (Fraction(0), Fraction(5, 8), Fraction(-5, 8), Fraction(3, 2), Fraction(-3, 2))
_FOUR = (Fraction(0), Fraction(1), Fraction(-1, 2), Fraction(-2))
F2_3 = Transform(
    ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    ((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    ((1, 1, 1, 0), (0, 1, -1, -1)),
)
F4_3 = _toom_cook(_FIVE, 4, 3)
F2_5 = _toom_cook(_FIVE, 2, 5)
F2_3_STRIDE_2 = _three_taps_stride_2(
    Transform(((1, -1, 0), (0, 1, 0), (0, -1, 1)), ((1, 0), (1, 1), (0, 1)), ((1, 1, 0), (0, 1, 1)))
)
F4_3_STRIDE_2 = _three_taps_stride_2(_toom_cook(_FOUR, 4, 2))

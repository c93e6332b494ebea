"""Cases of Einsum: products, transposes, diagonals, ellipses, implicit results."""

from __future__ import annotations

from clconv.cases.base import Case, data


def einsum(label: str, equation: str, *shapes: tuple[int, ...]) -> Case:
    return Case("Einsum", label, tuple(data(*s) for s in shapes), {"equation": equation})


CASES = (
    einsum("product", "ij,jk->ik", (5, 7), (7, 3)),
    einsum("batched", "bij, bjk -> bik", (2, 5, 7), (2, 7, 3)),
    einsum("transpose", "ijk->kji", (3, 4, 5)),
    einsum("row sums", "ij->i", (5, 7)),
    einsum("everything", "ij->", (5, 7)),
    einsum("diagonal", "...ii->...i", (3, 5, 5)),
    einsum("implicit", "ij,jk", (5, 7), (7, 3)),
    einsum("ellipsis", "...ij,...jk->...ik", (2, 1, 5, 4), (3, 4, 6)),
    einsum("ellipsis left out", "...ij->ij", (2, 3, 5, 4)),
    einsum("ellipsis of several left out", "...ij,...jk->ik", (2, 1, 5, 4), (3, 4, 6)),
    einsum("attention", "bhqd,bhkd->bhqk", (1, 2, 5, 8), (1, 2, 7, 8)),
    einsum("outer", "i,j->ij", (5,), (7,)),
    einsum("three", "ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    einsum("channel weights", "nchw,nc->nchw", (1, 5, 3, 4), (1, 5)),
)

"""Cases of Gemm and MatMul: one row, one column, primes, all broadcasting and transposing."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data, weight


def gemm(label: str, a: tuple[int, int], b: tuple[int, int], *c: int, **attrs: Any) -> Case:
    """C is present if its shape is given, (0,) stands for a scalar."""
    bias = () if not c else (weight() if c == (0,) else weight(*c),)
    return Case("Gemm", label, (data(*a), weight(*b), *bias), attrs)


def matmul(label: str, a: tuple[int, ...], b: tuple[int, ...], constant: bool = False) -> Case:
    return Case("MatMul", label, (data(*a), weight(*b) if constant else data(*b)))


CASES = (
    gemm("plain", (8, 16), (16, 24)),
    gemm("row bias", (16, 32), (32, 8), 8),
    gemm("dense batch 1", (1, 257), (10, 257), 10, transB=1),
    gemm("dense batch 5", (5, 64), (96, 64), 96, transB=1),
    gemm("primes", (13, 17), (17, 19), 13, 19, alpha=0.5, beta=2.0),
    gemm("transposed A", (17, 13), (17, 11), 13, 1, transA=1),
    gemm("transposed both", (9, 7), (11, 9), 1, 11, transA=1, transB=1, alpha=-1.5),
    gemm("scalar bias", (3, 4), (4, 5), 0, beta=0.25),
    gemm("one by one", (1, 1), (1, 1), 1),
    gemm("one column", (7, 33), (33, 1), 1),
    gemm("one inner index", (3, 1), (21, 1), 21, transB=1),
    gemm("long inner", (3, 1031), (1031, 5), 5),
    gemm("several tiles", (131, 301), (301, 262), 262),
    Case(
        "Gemm",
        "several tiles, transposed",
        (data(300, 133), data(262, 300), data(133, 262)),
        {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0},
    ),
    Case("Gemm", "fed matrices", (data(6, 7), data(7, 9), data(9))),
    Case(
        "Gemm",
        "few rows, large fed matrix",
        (data(5, 521), data(600, 521), data(600)),
        {"transB": 1, "alpha": 0.5},
    ),
    Case(
        "Gemm",
        "few rows transposed, large fed matrix",
        (data(521, 5), data(600, 521)),
        {"transA": 1, "transB": 1},
    ),
    Case(
        "Gemm", "fed addend", (data(7, 33), data(33, 21), data(7, 21)), {"alpha": 0.5, "beta": 3.0}
    ),
    Case("Gemm", "fed column", (data(7, 33), weight(33, 21), data(7, 1)), {"beta": -1.0}),
    Case(
        "Gemm",
        "int64 scaled",
        (
            data(5, 9, dtype="int64", low=-9, high=9),
            data(9, 4, dtype="int64", low=-9, high=9),
            data(4, dtype="int64", low=-9, high=9),
        ),
        {"beta": 2.0},
    ),
    Case(
        "Gemm",
        "uint64 scaled",
        (data(5, 9, dtype="uint64", low=0, high=9), data(9, 4, dtype="uint64", low=0, high=9)),
        {"alpha": 3.0},
    ),
    *(
        Case(
            "Gemm",
            f"{dtype} times {alpha} out of its range",
            (
                Operand((2, 3), dtype, values=[9, 8, 7, 1, 2, 3]),
                Operand((3, 2), dtype, values=[9, 1, 9, 2, 9, 3]),
            ),
            {"alpha": alpha},
        )
        for dtype in ("int8", "uint8")
        for alpha in (2.5, -2.5)
    ),
    Case(
        "Gemm",
        "int32 scaled by fractions",
        (data(5, 9, dtype="int32", low=-9, high=9), data(9, 4, dtype="int32", low=-9, high=9)),
        {"alpha": 1.5},
    ),
    Case("Gemm", "float64", (data(5, 9, dtype="float64"), data(9, 4, dtype="float64"))),
    gemm("empty inner", (3, 0), (0, 4), 4),
    gemm("no rows", (0, 5), (5, 4), 4),
    matmul("several tiles", (2, 131, 44), (2, 44, 260)),
    matmul("constant batch", (2, 5, 9, 33), (5, 33, 9), constant=True),
    matmul("constant vector", (3, 7, 33), (33,), constant=True),
    matmul("matrices", (13, 17), (17, 11)),
    matmul("constant", (31, 24), (24, 40), constant=True),
    matmul("batched", (3, 7, 5), (3, 5, 6)),
    matmul("broadcast right", (2, 3, 7, 5), (5, 6)),
    matmul("broadcast left", (7, 5), (4, 5, 3)),
    matmul("broadcast both", (2, 1, 4, 5), (3, 5, 6)),
    matmul("vector matrix", (17,), (17, 9)),
    matmul("matrix vector", (9, 17), (17,)),
    matmul("vectors", (23,), (23,)),
    matmul("batch vector", (3, 4, 5), (5,)),
    matmul("vector batch", (4,), (3, 4, 5)),
    matmul("attention scores", (1, 4, 19, 8), (1, 4, 8, 19)),
    matmul("constant one row", (1, 1, 96), (96, 71), constant=True),
    Case(
        "MatMul",
        "int32",
        (data(3, 5, dtype="int32", low=-9, high=9), data(5, 4, dtype="int32", low=-9, high=9)),
    ),
)

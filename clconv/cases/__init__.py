"""The one table of cases: CASES, by operator family."""

from clconv.cases import (
    cast,
    conv,
    conv_transpose,
    create,
    gather,
    gemm,
    global_pool,
    move,
    norm,
    pad,
    pool,
    rearrange,
    reduce,
    resize,
    scatter,
    shape,
    softmax,
    topk,
)
from clconv.cases.base import Case, Operand, data, ints, weight

CASES: tuple[Case, ...] = (
    *conv.CASES,
    *conv_transpose.CASES,
    *pool.CASES,
    *global_pool.CASES,
    *gemm.CASES,
    *norm.CASES,
    *reduce.CASES,
    *softmax.CASES,
    *move.CASES,
    *pad.CASES,
    *rearrange.CASES,
    *gather.CASES,
    *scatter.CASES,
    *topk.CASES,
    *shape.CASES,
    *create.CASES,
    *cast.CASES,
    *resize.CASES,
)

__all__ = ["CASES", "Case", "Operand", "data", "ints", "weight"]

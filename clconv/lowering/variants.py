"""Importing this module registers the variants of every operator."""

from clconv.lowering import (
    cast,
    conv,
    conv_transpose,
    create,
    elementwise,
    gather,
    gemm,
    global_pool,
    move,
    pad,
    pool,
    rearrange,
    reduce,
    resize,
    scatter,
    shape,
    topk,
)
from clconv.lowering.kernel import VARIANTS

__all__ = [
    "VARIANTS",
    "cast",
    "conv",
    "conv_transpose",
    "create",
    "elementwise",
    "gather",
    "gemm",
    "global_pool",
    "move",
    "pad",
    "pool",
    "rearrange",
    "reduce",
    "resize",
    "scatter",
    "shape",
    "topk",
]

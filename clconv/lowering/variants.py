"""Importing this module registers the variants of every operator."""

from clconv.lowering import (
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
    scatter,
    shape,
)
from clconv.lowering.kernel import VARIANTS

__all__ = [
    "VARIANTS",
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
    "scatter",
    "shape",
]

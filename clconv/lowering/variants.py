"""Importing this module registers the variants of every operator."""

from clconv.lowering import conv, create, elementwise, gemm, global_pool, move, pool, shape
from clconv.lowering.kernel import VARIANTS

__all__ = [
    "VARIANTS",
    "conv",
    "create",
    "elementwise",
    "gemm",
    "global_pool",
    "move",
    "pool",
    "shape",
]

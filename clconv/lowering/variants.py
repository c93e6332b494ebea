"""Importing this module registers the variants of every operator."""

from clconv.lowering import conv, elementwise, global_pool, pool
from clconv.lowering.kernel import VARIANTS

__all__ = ["VARIANTS", "conv", "elementwise", "global_pool", "pool"]

"""Operators, one file a family. Importing this package registers all of them."""

from clconv.graph.ops import conv, elementwise
from clconv.graph.ops.base import OPS, Attributes, Call, Cost, Op, get_op, make_node, register

__all__ = [
    "OPS",
    "Attributes",
    "Call",
    "Cost",
    "Op",
    "conv",
    "elementwise",
    "get_op",
    "make_node",
    "register",
]

"""Operators, one file a family. Importing this package registers all of them."""

import importlib
import pkgutil

from clconv.graph.ir import Attributes
from clconv.graph.ops.base import OPS, Call, Cost, Op, get_op, hooks_of, make_node, register

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)

__all__ = [
    "OPS",
    "Attributes",
    "Call",
    "Cost",
    "Op",
    "get_op",
    "hooks_of",
    "make_node",
    "register",
]

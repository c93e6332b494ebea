"""Importing this module registers the variants of every operator."""

import importlib
import pkgutil

from clconv.lowering import ops
from clconv.lowering.model.kernel import VARIANTS

for _module in pkgutil.walk_packages(ops.__path__, f"{ops.__name__}."):
    importlib.import_module(_module.name)

__all__ = ["VARIANTS"]

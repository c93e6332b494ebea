"""The one table of cases: CASES, of every file below that has some."""

import importlib
import pkgutil

from clconv.cases.base import Case, Operand, data, ints, weight

_modules = [
    importlib.import_module(m.name) for m in pkgutil.walk_packages(__path__, f"{__name__}.")
]

CASES: tuple[Case, ...] = tuple(
    case for module in _modules for case in getattr(module, "CASES", ())
)

__all__ = ["CASES", "Case", "Operand", "data", "ints", "weight"]

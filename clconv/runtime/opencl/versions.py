"""Versions of pyopencl and of what it imports, without Python's reader of package metadata.

Both ask for their own version when they are imported. For that importlib.metadata loads the reader of mail, and with it thirty
modules: an eighth of the time until a small network has its first answer.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

_NAME = "importlib.metadata"


class _Metadata(types.ModuleType):
    """Stands in for importlib.metadata: answers for versions, and is the module itself for anything else."""

    def version(self, package: str) -> str:
        begin, end = f"{package}-", ".dist-info"
        for folder in sys.path:
            with contextlib.suppress(OSError):
                for name in os.listdir(folder or "."):
                    if name.startswith(begin) and name.endswith(end):
                        return name[len(begin) : -len(end)]
        return str(_real().version(package))

    def __getattr__(self, name: str) -> Any:
        return getattr(_real(), name)


@contextlib.contextmanager
def quick_versions() -> Iterator[None]:
    """Inside, imported packages learn their versions from the names of the folders that pip made for them."""
    if _NAME in sys.modules:
        yield
        return
    sys.modules[_NAME] = mine = _Metadata(_NAME)
    try:
        yield
    finally:
        if sys.modules.get(_NAME) is mine:
            del sys.modules[_NAME]


def _real() -> types.ModuleType:
    if isinstance(sys.modules.get(_NAME), _Metadata):
        del sys.modules[_NAME]
    return importlib.import_module(_NAME)

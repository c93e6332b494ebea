"""Where processes that we start look for modules: where this one does."""

from __future__ import annotations

import os
import sys


def search_path() -> list[str]:
    """sys.path with the standard library in front. Another thread may be importing OpenCV, whose folder is in front of all
    for that long: with a `typing` of its own, with which no interpreter gets far."""
    standard = os.path.dirname(os.__file__)
    zipped = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    first = [
        path
        for path in sys.path
        if path in (standard, os.path.join(standard, "lib-dynload"))
        or os.path.basename(path) == zipped
    ]
    return list(dict.fromkeys([*first, *sys.path]))

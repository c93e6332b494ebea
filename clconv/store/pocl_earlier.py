"""Which programs lay in PoCL's folder when a process looked first, by the kernels in them.

There may be tens of thousands, and a process needs a few: only the names of their folders are read, where no more is needed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from clconv.store.binaries import defect
from clconv.store.pocl_files import files_of, holds, program_folders


class Earlier:
    """The programs in a folder at this moment."""

    def __init__(self, root: Path) -> None:
        self._launched: dict[str, list[Path]] = {}  # by kernel: PoCL makes a folder for each
        self._idle: list[Path] = []  # no kernel of these was launched
        for folder in program_folders(root):
            kernels = _folders_in(folder)
            for kernel in kernels:
                self._launched.setdefault(kernel, []).append(folder)
            if not kernels:
                self._idle.append(folder)

    def of(self, symbols: Sequence[str]) -> list[Path]:
        """Those that may be a program of these kernels: any of them was launched, or none and the program has them, or is
        damaged, which may be why it seems to have none."""
        found = [folder for symbol in symbols for folder in self._launched.get(symbol, ())]
        found += [f for f in self._idle if any(map(defect, files_of(f))) or holds(f, symbols)]
        return [*dict.fromkeys(found)]


def _folders_in(folder: Path) -> list[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []

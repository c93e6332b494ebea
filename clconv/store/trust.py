"""Whose files are read: this user's and the system's, never what another user wrote or may write."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from clconv.store.files import Unusable

_SYSTEM = 0  # who may do all, and whose files all use


def objection(path: Path, status: os.stat_result) -> str | None:
    """Why a file or folder is not to be trusted, in words; None if it is.

    A folder that all may write into, but where each may replace only his own files (the sticky bit, as in /tmp), is
    fine: its files are looked at one by one.
    """
    if not hasattr(os, "geteuid"):  # Windows: the user's folders are his own
        return None
    if status.st_uid not in (_SYSTEM, os.geteuid()):
        return f"belongs to another user ({status.st_uid})"
    mode = status.st_mode
    if mode & 0o022 and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
        return f"can be written by others: chmod go-w {path}"
    return None


def check_folders(root: Path, folder: Path) -> None:
    """Raises Unusable if root or a folder on the way from it down to `folder` is not to be trusted. Folders that are
    not there are fine."""
    between = folder.relative_to(root).parts
    for depth in range(len(between) + 1):
        here = root.joinpath(*between[:depth])
        try:
            reason = objection(here, here.stat())
        except FileNotFoundError:
            return
        except OSError as error:
            raise Unusable(f"cannot be read ({error.strerror or type(error).__name__})") from None
        if reason is not None:
            raise Unusable(f"is not used, because {here} {reason}")


def make_private(folder: Path) -> None:
    """Makes the folder, and those above it that are missing, for this user alone (0700). OSError if it cannot."""
    if folder.is_dir():
        return
    make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)

"""Files that a user names, looked at before the work: whether they can be read, and written."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from clconv.errors import ConfigError


def check_readable(path: Path, what: str, most: int | None = None) -> None:
    """Raises ConfigError unless it is a regular file (a pipe or a device may never end) of at most so many bytes,
    OSError if it is not there or may not be read. what: "a picture", for the message."""
    if "\0" in str(path) or not path.name:
        raise ConfigError(f"{str(path)!r} is no path of a file")
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise ConfigError(f"{path}: is a folder, not {what}")
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{path}: is no regular file; copy what it gives into one first")
    if most is not None and found.st_size > most:
        raise ConfigError(f"{path}: {found.st_size:,} bytes are too many for {what} ({most:,})")
    with path.open("rb"):
        pass


def check_writable(path: Path, option: str, ending: str = "") -> None:
    """Raises ConfigError or OSError unless a file can be written there, with this ending of its name: before the work that
    makes its content."""
    if "\0" in str(path) or not path.name:
        raise ConfigError(f"{option} {str(path)!r}: is no path of a file")
    if ending and path.suffix.lower() != ending:
        raise ConfigError(f"{option} {path}: end the name with {ending}")
    folder = path.parent
    if not folder.is_dir():
        raise ConfigError(f"{option} {path}: there is no folder {folder}")
    if path.is_dir():
        raise ConfigError(f"{option} {path}: is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{option} {path}: is there and no regular file; name another")
    try:
        with tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent):
            pass
    except OSError as reason:
        raise ConfigError(f"{option} {path}: cannot be written: {reason.strerror}") from None

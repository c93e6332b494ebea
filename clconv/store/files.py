"""How each file is written, whole or not at all, and how files are read: regular ones, of bounded size."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

_BEGIN, _END = ".clconv-", ".new"  # of the name of a file that is not whole yet
_ABANDONED = 3600.0  # seconds after which nobody writes such a file any more
_IN_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)


class Unusable(Exception):
    """A file that cannot be used: why, in words."""


def read(
    path: Path, limit: int, objection: Callable[[Path, os.stat_result], str | None] | None = None
) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    objection: says what is wrong with its owner or mode. Raises FileNotFoundError if there is no file, Unusable for all
    else: pipes and devices, which may never end, included.
    """
    try:
        _refuse(path, os.stat(path), limit, objection)
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            _refuse(path, status, limit, objection)
            # Python makes room for all that is asked for, however little comes.
            content = file.read(status.st_size + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as reason:  # ValueError: a path with a zero byte
        text = getattr(reason, "strerror", None) or type(reason).__name__
        raise Unusable(f"cannot be read ({text})") from None
    if len(content) > status.st_size:
        raise Unusable(f"has more than the {status.st_size:,} bytes that it says it has")
    return content


def _refuse(
    path: Path,
    status: os.stat_result,
    limit: int,
    objection: Callable[[Path, os.stat_result], str | None] | None,
) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unusable("is no regular file")
    if status.st_size > limit:
        raise Unusable(f"has {status.st_size:,} bytes, more than {limit:,}")
    reason = objection and objection(path, status)
    if reason:
        raise Unusable(reason)


def write(path: Path, content: bytes | str, *, private: bool = False, durable: bool = True) -> None:
    """Replaces a file by this content; see replacing()."""
    with replacing(path, private=private, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = False, durable: bool = True) -> Iterator[IO[bytes]]:
    """A file to write, which takes the place of `path` at the end of the block, in one step: a reader, a full disk, a
    signal or a power cut leaves the old file or the new one. A link stays a link.

    private: for this user alone. durable: on the disk before it takes the place. What is no regular file, such as
    /dev/stdout, and a file in a folder that cannot be written, is written where it is, unless it is private: a pipe in
    the place of such a file has no reader, and is replaced. Raises OSError that names path.
    """
    special = os.path.exists(path) and not os.path.isfile(path) and not private
    target = Path(path) if special else Path(os.path.realpath(path))
    beside = target.with_name(f"{_BEGIN}{os.urandom(8).hex()}{_END}")
    try:
        file = None if special else _created(beside, target, private)
        if file is None:
            with open(target, "wb") as file:
                yield file
            return
        try:
            with file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.replace(beside, target)
        except BaseException:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    except OSError as reason:
        ours = reason.filename is None or reason.filename in (str(beside), str(target))
        if ours and reason.errno is not None:  # none: a library's own words, not the system's
            raise OSError(reason.errno, reason.strerror, str(path)) from None
        raise


def _created(beside: Path, target: Path, private: bool) -> IO[bytes] | None:
    """The new file, open; None if there is an old one that can only be written where it is."""
    mode = 0o600 if private else 0o666

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, mode)

    try:
        file = open(beside, "xb", opener=opener)  # noqa: SIM115  replacing() closes it
    except OSError as reason:
        if reason.errno in _IN_PLACE and os.access(target, os.W_OK) and not private:
            return None
        raise
    if not private and target.exists():
        with contextlib.suppress(OSError):
            os.chmod(beside, stat.S_IMODE(target.stat().st_mode))
    return file


def remove_abandoned(folder: Path) -> None:
    """Removes what processes that were killed while they wrote left in a folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(_BEGIN) and entry.name.endswith(_END):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED:
                        os.unlink(entry.path)

"""What files hold, as a checksum. Large files are read once: what they held is remembered by all that the system says of a
file, its time of change included.

A file that was changed within the last seconds is read each time: it may change again within one tick of the clock.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import stat
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from clconv.errors import ConfigError
from clconv.store.files import Unusable
from clconv.store.kept import kept_path, make_room, read_kept, write_kept
from clconv.version import PACKAGE, __version__

_FOLDER = "contents"
_SETTLED = 2.0  # seconds after which a file's times tell it from what it was
_PIECE = 1 << 20
_LIMIT = 4096
_CODE = (".py", ".mako", ".json")


class _Content(NamedTuple):
    checksum: str
    stamp: list[int]


_begun: dict[str, Future[_Content]] = {}
_lock = threading.Lock()


def begin_content(path: str | os.PathLike[str]) -> bool:
    """Whether what a file holds is not known yet: then a thread reads it, for content_of(). Raises OSError,
    RuntimeError if there can be no more threads."""
    whole = os.path.realpath(path)
    if _remembered(_place_of(whole), stamp_of(whole)) is not None:
        return False
    coming: Future[_Content] = Future()

    def read() -> None:
        try:
            coming.set_result(_read(whole))
        except BaseException as reason:  # for the thread that waits
            coming.set_exception(reason)

    threading.Thread(target=read, name="clconv content", daemon=True).start()
    with _lock:  # only now: nobody may wait for a thread that could not be started
        _begun[whole] = coming
    return True


def content_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a regular file. Raises OSError, also where it changes meanwhile."""
    whole = os.path.realpath(path)
    with _lock:
        begun = _begun.pop(whole, None)
    if begun is not None:
        read = begun.result()
        if read.stamp == stamp_of(whole):
            return read.checksum
    known = _remembered(_place_of(whole), stamp_of(whole))
    return _read(whole).checksum if known is None else known


def _place_of(whole: str) -> Path:
    return kept_path(_FOLDER, hashlib.sha256(os.fsencode(whole)).hexdigest())


def _read(whole: str) -> _Content:
    """Reads a file now, and remembers what it holds where its times tell it from what it may become."""
    before = os.stat(whole)
    if not stat.S_ISREG(before.st_mode):
        raise OSError(f"{whole} is no regular file")
    found = hashlib.sha256()
    with open(whole, "rb", buffering=0) as file:
        opened = os.fstat(file.fileno())
        while piece := file.read(_PIECE):
            found.update(piece)
        after = os.fstat(file.fileno())
    if not _stamp(before) == _stamp(opened) == _stamp(after) == _stamp(os.stat(whole)):
        raise OSError(f"{whole} changed while it was read")
    if _is_settled(after):
        _remember(_place_of(whole), _stamp(after), found.hexdigest())
    return _Content(found.hexdigest(), _stamp(after))


def unchanged_since(path: str | os.PathLike[str], moment: float) -> bool:
    """Whether a file surely is as it was at a moment (of time.time())."""
    status = os.stat(path)
    return max(status.st_mtime, status.st_ctime) < moment - _SETTLED


def stamp_of(path: str | os.PathLike[str]) -> list[int]:
    """Changes with a file, as far as the system's clock can tell."""
    return _stamp(os.stat(path))


def is_same(path: str | os.PathLike[str], content: str) -> bool:
    """Whether a file still holds this."""
    try:
        return content_of(path) == content
    except OSError:
        return False


@functools.cache
def code_of_clconv() -> str:
    """Changes with the version, and with every file of Python, template and measurement that clconv consists of."""
    roots = [PACKAGE, *(f for f in (PACKAGE.parent / "kernels",) if f.is_dir())]
    listed = sorted(line for root in roots for line in _listed(str(root)))
    stamp = hashlib.sha256(repr(listed).encode()).hexdigest()
    settled = max(max(line[2:4]) for line in listed) < (time.time() - _SETTLED) * 1e9
    place = hashlib.sha256(os.fsencode(str(PACKAGE))).hexdigest()
    remembered = kept_path(_FOLDER, place)
    known = _remembered(remembered, stamp) if settled else None
    if known is not None:
        return known
    found = hashlib.sha256(__version__.encode())
    for root in roots:
        for path in sorted(path for path, *_ in listed if path.startswith(f"{root}{os.sep}")):
            found.update(os.path.relpath(path, root).encode() + b"\0")
            with open(path, "rb", buffering=0) as file:
                found.update(hashlib.sha256(file.read()).digest())
    if settled:
        _remember(remembered, stamp, found.hexdigest())
    return found.hexdigest()


def _listed(folder: str) -> list[tuple[str, int, int, int, int]]:
    """Path, size, times and number of each file of code below a folder."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_CODE):
                at = entry.stat()
                found.append((entry.path, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino))
            elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                found += _listed(entry.path)
    return found


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _is_settled(status: os.stat_result) -> bool:
    latest = max(status.st_mtime, status.st_ctime)
    return latest < time.time() - _SETTLED  # not so for times in the future, either


def _remembered(path: Path, stamp: object) -> str | None:
    try:
        found = json.loads(read_kept(path, _LIMIT))
    except (FileNotFoundError, Unusable, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("stamp") != stamp:
        return None
    content = found.get("content")
    guard = hashlib.sha256(f"{stamp} {content}".encode()).hexdigest()
    return content if isinstance(content, str) and found.get("guard") == guard else None


def _remember(path: Path, stamp: object, content: str) -> None:
    guard = hashlib.sha256(f"{stamp} {content}".encode()).hexdigest()
    text = json.dumps({"stamp": stamp, "content": content, "guard": guard})
    with contextlib.suppress(OSError, ConfigError):  # what cannot be kept is read again
        write_kept(path, text, durable=False)
        make_room(path.parent)

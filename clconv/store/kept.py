"""What lies in CLCONV_CACHE_DIR: for this user alone, and read only if it is his."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from clconv import config
from clconv.errors import ConfigError, warn_once
from clconv.store import files, trust
from clconv.store.files import Unusable

_TEXT_LIMIT = 64 << 20  # bytes of one text
_TEXTS = 1000  # that are kept
_MARK = "clconv text 1 "


def kept_path(*parts: str) -> Path:
    """A place in CLCONV_CACHE_DIR."""
    return config.CACHE_DIR.get().joinpath(*parts)


def read_kept(path: Path, limit: int) -> bytes:
    """The content of a file in CLCONV_CACHE_DIR. Raises FileNotFoundError, or Unusable for what is no file of bounded
    size or not this user's."""
    trust.check_folders(config.CACHE_DIR.get(), path.parent)
    return files.read(path, limit, trust.objection)


def check_kept(path: Path) -> None:
    """Raises Unusable if the folders of a file in CLCONV_CACHE_DIR are not this user's."""
    trust.check_folders(config.CACHE_DIR.get(), path.parent)


def write_kept(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Writes a file into CLCONV_CACHE_DIR, whose folders are made for this user alone. Raises OSError, and ConfigError
    if what is there belongs to others."""
    with writing_kept(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def writing_kept(path: Path, *, durable: bool = False) -> Iterator[IO[bytes]]:
    """A file to write, as for write_kept(), which takes the place of `path` at the end of the block."""
    trust.make_private(path.parent)
    try:
        check_kept(path)
    except Unusable as reason:
        raise ConfigError(
            f"{path} {reason}; or set {config.CACHE_DIR.name} to another folder"
        ) from None
    with files.replacing(path, private=True, durable=durable) as file:
        yield file


def kept_text(kind: str, key: str, make: Callable[[], str]) -> str:
    """A text that is the same whenever it is made: from the folder `kind` of CLCONV_CACHE_DIR, or made and put there.

    What is damaged there is made anew, what belongs to others is left alone, each with one warning; where nothing can
    be written, nothing is kept.
    """
    path = kept_path(kind, key)
    try:
        return _checked(read_kept(path, _TEXT_LIMIT))
    except FileNotFoundError:
        pass
    except _Damaged:
        text = f"{path.parent}: damaged files are made anew, first {path.name}"
        warn_once(text, about=f"damaged {path.parent}")
    except Unusable as reason:
        warn_once(f"{path.parent} {reason}", about=f"unusable {path.parent}")
        return make()
    text = make()
    content = text.encode()
    with contextlib.suppress(OSError, ConfigError):  # what cannot be kept is made again
        write_kept(path, _header(content) + content, durable=False)
        make_room(path.parent)
    return text


class _Damaged(Unusable):
    """The content is not what was written."""


def _header(content: bytes) -> bytes:
    return f"{_MARK}{hashlib.sha256(content).hexdigest()}\n".encode()


def _checked(stored: bytes) -> str:
    header, _, content = stored.partition(b"\n")
    if header + b"\n" != _header(content):
        raise _Damaged("is damaged")
    return content.decode()


def make_room(folder: Path) -> None:
    """Removes the older half if there are too many files, and what was abandoned."""
    files.remove_abandoned(folder)
    with os.scandir(folder) as entries:
        found = [(entry.stat(follow_symlinks=False).st_mtime, entry.path) for entry in entries]
    if len(found) > _TEXTS:
        for _, path in sorted(found)[: len(found) // 2]:
            with contextlib.suppress(OSError):
                os.unlink(path)

"""Named blobs in one file, each with a checksum. The file is a safetensors file of bytes, so other programs can look into it.

The last two blobs guard the others: "checksums" has the CRC-32 of each, "seal" the SHA-256 of the header and of those. What is
cut off, overwritten or replaced is found before it is used; against who means harm, a checksum is no help.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import stat
import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from clconv.store.files import Unusable

_CHECKSUMS, _SEAL = "checksums", "seal"
_SEAL_BYTES = 32
_HEADER_LIMIT = 64 << 20
_PIECE = 1 << 20  # bytes between a read and its checksum: they are still in the cache
_PAGE = 4 << 10  # where large blobs begin, to be used in place
_PAD = "pad-"  # names of what lies between them
_KIND = "clconv network"


class Blob(NamedTuple):
    """content: called once, when it is written; gives `nbytes` bytes."""

    name: str
    nbytes: int
    content: Callable[[], Any]


def write_blobs(file: IO[bytes], blobs: Sequence[Blob]) -> None:
    """Writes a whole file."""
    sizes: list[tuple[str, int]] = []
    gaps: list[int] = []  # bytes in front of each blob
    end = 0
    for blob in blobs:
        gaps.append(-end % _PAGE if blob.nbytes >= _PAGE else 0)
        if gaps[-1]:
            sizes.append((f"{_PAD}{len(gaps)}", gaps[-1]))
        sizes.append((blob.name, blob.nbytes))
        end += gaps[-1] + blob.nbytes
    sizes += [(_CHECKSUMS, 4 * len(blobs)), (_SEAL, _SEAL_BYTES)]
    entries: dict[str, Any] = {"__metadata__": {"kind": _KIND}}
    end = 0
    for name, nbytes in sizes:
        entries[name] = {"dtype": "U8", "shape": [nbytes], "data_offsets": [end, end + nbytes]}
        end += nbytes
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-(8 + len(header)) % _PAGE)
    file.write(struct.pack("<Q", len(header)) + header)
    checksums = []
    for blob, gap in zip(blobs, gaps, strict=True):
        content = memoryview(blob.content()).cast("B") if blob.nbytes else memoryview(b"")
        assert content.nbytes == blob.nbytes, blob.name
        checksums.append(zlib.crc32(content))
        file.write(bytes(gap))
        file.write(content)
    table = struct.pack(f"<{len(checksums)}I", *checksums)
    file.write(table + hashlib.sha256(header + table).digest())


class Blobs:
    """A file of write_blobs(), open until the last reference goes. Safe to use from several threads.

    objection: says what is wrong with the file's owner or mode. Raises FileNotFoundError, and Unusable for what is no such
    file, or a damaged one.
    """

    def __init__(
        self, path: Path, objection: Callable[[Path, os.stat_result], str | None] | None = None
    ) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise Unusable("is no regular file")
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115  closed with the last reference
            self.status = os.fstat(self._file.fileno())
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as reason:
            text = getattr(reason, "strerror", None) or type(reason).__name__
            raise Unusable(f"cannot be read ({text})") from None
        wrong = objection and objection(path, self.status)
        if wrong:
            raise Unusable(wrong)
        self._is_private = objection is not None
        self._mapped: np.ndarray | None = None
        self._places, self._checksums = self._read_header()

    def __del__(self) -> None:
        file = self.__dict__.get("_file")
        if file is not None:
            file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._places

    @property
    def names(self) -> list[str]:
        return list(self._checksums)

    def nbytes(self, name: str) -> int:
        return self._place(name)[1]

    def read(self, name: str) -> bytes:
        """Raises Unusable if it is not there, or not what was written."""
        return self.array(name).tobytes()

    def array(self, name: str) -> np.ndarray:
        """The same, in memory that is not copied once more."""
        content = np.empty(self.nbytes(name), np.uint8)
        self.read_into(name, content)
        return content

    def read_into(self, name: str, target: np.ndarray) -> None:
        """Fills a contiguous array of bytes. Raises Unusable."""
        begin, nbytes = self._place(name)
        if nbytes != target.nbytes:
            raise Unusable(f"has {nbytes} bytes for {name!r} in the place of {target.nbytes}")
        checksum = 0
        for at in range(0, nbytes, _PIECE):
            piece = target[at : at + _PIECE]
            self._fill(begin + at, piece)
            checksum = zlib.crc32(piece.data, checksum)
        if checksum != self._checksums.get(name):
            raise Unusable(f"is damaged: {name!r} has changed")

    def mapped(self, name: str) -> np.ndarray:
        """The bytes in the system's memory of the file, which must not be written while they are in use: see has_changed().
        Raises Unusable."""
        begin, nbytes = self._place(name)
        with self._lock:
            if self._mapped is None:
                try:
                    whole = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
                except (OSError, ValueError) as reason:
                    raise Unusable(f"cannot be mapped ({reason})") from None
                self._mapped = np.frombuffer(whole, np.uint8)
        if begin + nbytes > len(self._mapped):
            raise Unusable("is cut off")
        found = self._mapped[begin : begin + nbytes]
        if zlib.crc32(found.data) != self._checksums.get(name):
            raise Unusable(f"is damaged: {name!r} has changed")
        return found

    def has_changed(self) -> bool:
        """Whether somebody has written into the file since it was opened, or cut it off. Of files that nobody else may write
        the times are not looked at: clconv notes there when it used them."""
        now, then = os.fstat(self._file.fileno()), self.status
        if now.st_size != then.st_size:
            return True
        return not self._is_private and now.st_mtime_ns != then.st_mtime_ns

    def _place(self, name: str) -> tuple[int, int]:
        found = self._places.get(name)
        if found is None:
            raise Unusable(f"has no {name!r}")
        return found

    def _fill(self, offset: int, target: np.ndarray) -> None:
        view, done = target.data, 0
        while done < len(view):
            try:
                with self._lock:
                    self._file.seek(offset + done)
                    count = self._file.readinto(view[done:])
            except OSError as reason:
                raise Unusable(f"cannot be read ({reason.strerror})") from None
            if not count:
                raise Unusable("is cut off")
            done += count

    def _bytes(self, offset: int, nbytes: int) -> bytes:
        found = np.empty(nbytes, np.uint8)
        self._fill(offset, found)
        return found.tobytes()

    def _read_header(self) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
        size = self.status.st_size
        if size < 8:
            raise Unusable("is cut off")
        (length,) = struct.unpack("<Q", self._bytes(0, 8))
        if length > min(_HEADER_LIMIT, size - 8):
            raise Unusable("is no file of clconv's, or is damaged")
        header = self._bytes(8, length)
        try:
            entries = json.loads(header)
            kind = entries.pop("__metadata__")["kind"]
            places = {}
            for name, entry in entries.items():
                begin, end = entry["data_offsets"]
                places[name] = (8 + length + _count(begin), _count(end - begin))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Unusable("is no file of clconv's, or is damaged") from None
        if kind != _KIND or _SEAL not in places or _CHECKSUMS not in places:
            raise Unusable("is no file of clconv's, or is damaged")
        if any(begin + nbytes > size for begin, nbytes in places.values()):
            raise Unusable("is cut off")
        names = [n for n in places if n not in (_CHECKSUMS, _SEAL) and not n.startswith(_PAD)]
        if places[_SEAL][1] != _SEAL_BYTES or places[_CHECKSUMS][1] != 4 * len(names):
            raise Unusable("is damaged: its header has changed")
        table = self._bytes(*places[_CHECKSUMS])
        if hashlib.sha256(header + table).digest() != self._bytes(*places[_SEAL]):
            raise Unusable("is damaged: its header has changed")
        return places, dict(zip(names, struct.unpack(f"<{len(names)}I", table), strict=True))


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError
    return value

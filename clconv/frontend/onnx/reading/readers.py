"""Files of which parts are read long after they were opened."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np

from clconv.errors import ModelError
from clconv.graph.staging import empty_bytes

_PIECE = 1 << 16  # bytes
_SAMPLES, _SAMPLE = 8, 64  # how many parts of a tensor are compared, and their bytes


class Reader(Protocol):
    """Reads a part of the model again, long after it was parsed."""

    def read(self, offset: int, length: int) -> np.ndarray:
        """That many bytes as uint8. Raises ModelError if they are gone."""


class BytesReader:
    """The model was given as bytes, which stay."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, offset: int, length: int) -> np.ndarray:
        return np.frombuffer(self._data, np.uint8, length, offset)


class FileReader:
    """A file that stays open as long as this: what is put in its place, or its removal, changes nothing.

    Raises OSError if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)
        self._lock = threading.Lock()  # where a descriptor has one position for all
        self._seen = self._state()

    @property
    def size(self) -> int:
        """Bytes of the file when it was opened."""
        return self._seen[0]

    def _state(self) -> tuple[int, int]:
        found = os.fstat(self._file)
        return found.st_size, found.st_mtime_ns

    def read(self, offset: int, length: int) -> np.ndarray:
        array = empty_bytes(length)
        view: memoryview = array.data
        done = 0
        try:
            while done < length:
                count = self._into(view[done:], offset + done)
                if not count:
                    self._changed()
                done += count
            if self._state() != self._seen:
                self._changed()
        except OSError as reason:
            raise ModelError(f"{self}: cannot be read again: {reason.strerror or reason}") from None
        return array

    def __str__(self) -> str:
        return str(self._path)

    def _changed(self) -> NoReturn:
        raise ModelError(f"{self}: was written to since it was loaded; load it again")

    def _into(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file, [view], offset)
        with self._lock:
            os.lseek(self._file, offset, os.SEEK_SET)
            data = os.read(self._file, min(len(view), 1 << 24))
        view[: len(data)] = data
        return len(data)

    def __deepcopy__(self, memo: Any) -> FileReader:
        return self  # one descriptor, closed once


class Window:
    """The bytes of a file, of which few are asked for, mostly one behind the other: read by pieces, so that what is left out takes
    neither memory nor time."""

    def __init__(self, reader: FileReader) -> None:
        self._reader, self._begin = reader, 0
        self._piece: memoryview = memoryview(b"")

    def __len__(self) -> int:
        return self._reader.size

    def __getitem__(self, part: slice) -> memoryview:
        """part: as of bytes, in steps of 1. Raises ModelError where the file has changed."""
        begin, end, _ = part.indices(len(self))
        if end - begin > _PIECE:
            return self._read(begin, end)
        if begin < self._begin or end > self._begin + len(self._piece):
            self._begin = begin
            self._piece = self._read(begin, min(begin + _PIECE, len(self)))
        return self._piece[begin - self._begin : end - self._begin]

    def _read(self, begin: int, end: int) -> memoryview:
        return self._reader.read(begin, max(end - begin, 0)).data


class FileSpan:
    """Where a tensor's bytes lie."""

    def __init__(self, reader: Reader, offset: int, length: int) -> None:
        self._reader, self._offset, self.length = reader, offset, length
        self._samples = b"".join(
            reader.read(offset + start, size).tobytes() for start, size in self._sampled()
        )

    def _sampled(self) -> Iterator[tuple[int, int]]:
        """Parts of the content that tell whether it is still the same: times of files can be set."""
        size = min(self.length, _SAMPLE)
        last = self.length - size
        yield from ((last * i // (_SAMPLES - 1), size) for i in range(_SAMPLES))

    def read(self) -> np.ndarray:
        """The bytes. Raises ModelError if they are not what they were."""
        data = self._reader.read(self._offset, self.length)
        found = b"".join(data[start : start + size].tobytes() for start, size in self._sampled())
        if found != self._samples:
            raise ModelError(f"{self._reader}: was written to since it was loaded; load it again")
        return data

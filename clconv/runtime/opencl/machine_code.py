"""The machine code that PoCL made of a program: its functions in this process, and its pages.

PoCL loads the shared object of a kernel at its first launch, and unloads it when many others were launched since. Whoever
holds a Function keeps it loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clconv import config
from clconv.errors import ClconvError, DeviceError
from clconv.planning.persistent import SEVERAL

_PROOF = 0x5A17C0DE0BADF00D
_MAPS = Path("/proc/self/maps")
_PAGE = 4096  # the smallest there are
_IDENTITY = b"\x7fELF\x02\x01"  # of 64 bits, the lowest byte first
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOL_TABLE, _FUNCTION = 2, 2  # SHT_SYMTAB, STT_FUNC


class NoFunction(ClconvError):
    """Why machine code cannot be called, in words."""


class Function:
    """A function of C that takes one number of 64 bits and returns nothing. call: the caller's thread runs it, without
    Python's lock. Called with the address of three words, of which the first is 0, it must invert the third.

    Raises NoFunction, also where what is loaded is not what the file holds."""

    def __init__(self, kernel: str, name: str) -> None:
        file = _loaded(f"{kernel}.so")
        try:
            # Counts as a user of what is loaded, and loads nothing.
            self._library = ctypes.CDLL(file.path, os.RTLD_NOW | os.RTLD_NOLOAD)
            found = _function(Path(file.path).read_bytes(), name.encode())
        except (OSError, struct.error, IndexError) as reason:
            raise NoFunction(f"{file.path}: {reason}") from None
        if found is None:
            raise NoFunction(f"{file.path} has no function {name}")
        if _loaded(f"{kernel}.so") != file or file.begin + found.at + len(found.code) > file.end:
            raise NoFunction(f"{file.path} was loaded again")
        if ctypes.string_at(file.begin + found.at, len(found.code)) != found.code:
            raise NoFunction(f"{file.path} has changed since it was loaded")
        self.address = file.begin + found.at
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(self.address)
        self._prove()

    def _prove(self) -> None:
        proof = np.array([0, 0, _PROOF], np.uint64)
        self.call(proof.ctypes.data)
        if proof[2] != ~np.uint64(_PROOF):
            raise NoFunction("it does not do what it should")


def is_loaded(name: str) -> bool:
    """Whether this process has loaded a shared object whose file has this name, as far as is known."""
    return any(part.path.endswith(f"/{name}") for part in _parts())


def part_function(symbol: str) -> Function:
    """The function of a part, which its launch has loaded, see kernels/joined/part.cl.mako. Raises DeviceError."""
    try:
        return Function(symbol, f"{symbol}_{SEVERAL}")
    except NoFunction as reason:
        raise DeviceError(
            f"machine code that was just loaded cannot be called ({reason}); with {config.PARTS.name}=1 it need not be"
        ) from None


def read_once(kernels: Collection[str]) -> None:
    """Reads a byte of each page of what is loaded for these kernels, by their symbols; nothing where what is loaded is not known.

    AVX-512 reads constants under masks. From a page that nobody has read yet, where no lane is wanted, which so does not
    bring it in, each such read takes 15 times as long: that of a comparison that is never true.
    """
    names = {f"/{symbol}.so" for symbol in kernels}
    sizes: dict[str, int] = {}
    for part in _parts():
        if part.access[0] != "r" or part.path[part.path.rfind("/") :] not in names:
            continue
        if part.path not in sizes:
            with contextlib.suppress(OSError):  # it was removed
                sizes[part.path] = os.stat(part.path).st_size
        end = min(part.end, part.begin + sizes.get(part.path, 0) - part.offset)
        for page in range(part.begin, end, _PAGE):
            ctypes.string_at(page, 1)


class _Part(NamedTuple):
    """A part of a file in memory. access: "r-xp", ...; offset: where it begins in the file."""

    begin: int
    end: int
    access: str
    offset: int
    path: str


def _parts() -> Iterator[_Part]:
    """What is loaded from shared objects; nothing where the system does not tell."""
    try:
        text = _MAPS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    for line in text.split("\n"):
        # Another process that compiled the same program put its file in the place of the one that is loaded.
        line = line.removesuffix(" (deleted)")
        if line.endswith(".so"):
            span, access, offset, _, _, path = line.split(None, 5)
            begin, end = (int(number, 16) for number in span.split("-"))
            yield _Part(begin, end, access, int(offset, 16), path)


class _Loaded(NamedTuple):
    """A file in memory, from its beginning to its end."""

    path: str
    begin: int
    end: int


def _loaded(name: str) -> _Loaded:
    """The first file of this name that is loaded: all of one kernel are made of one source."""
    found: _Loaded | None = None
    for part in _parts():
        if not part.path.endswith(f"/{name}"):
            continue
        if found is None and part.offset == 0:
            found = _Loaded(part.path, part.begin, part.end)
        elif found is not None and part.path == found.path:
            found = found._replace(end=part.end)
    if found is None:
        raise NoFunction(f"no {name} is loaded, as far as is known")
    return found


class _Code(NamedTuple):
    """A function: where it begins behind the beginning of its shared object, and its bytes."""

    at: int
    code: bytes


def _function(content: bytes, name: bytes) -> _Code | None:
    """By the table of symbols of a shared object, which also has those that nobody else may link to. Shared objects are
    linked to begin at 0."""
    if content[:6] != _IDENTITY:
        raise NoFunction("it is no shared object of 64 bits")
    (table,) = struct.unpack_from("<Q", content, 0x28)
    size, count = struct.unpack_from("<HH", content, 0x3A)
    sections: list[Any] = [_SECTION.unpack_from(content, table + i * size) for i in range(count)]
    for _, kind, _, _, offset, nbytes, link, _, _, _ in sections:
        if kind != _SYMBOL_TABLE:
            continue
        names = sections[link][4]
        for at in range(offset, offset + nbytes, _SYMBOL.size):
            text, info, _, section, value, length = _SYMBOL.unpack_from(content, at)
            found = content[names + text : names + text + len(name) + 1]
            if info & 15 == _FUNCTION and found == name + b"\0" and 0 < section < count and length:
                begin = value - sections[section][3] + sections[section][4]
                return _Code(value, content[begin : begin + length])
    return None

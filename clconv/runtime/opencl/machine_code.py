"""Functions in the machine code that PoCL made of a program: where they begin in this process.

PoCL loads the shared object of a kernel at its first launch, and unloads it when many others were launched since. Whoever
holds a Function keeps it loaded.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Any

from clconv.errors import ClconvError

_MAPS = Path("/proc/self/maps")
_IDENTITY = b"\x7fELF\x02\x01"  # of 64 bits, the lowest byte first
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOL_TABLE, _FUNCTION = 2, 2  # SHT_SYMTAB, STT_FUNC


class NoFunction(ClconvError):
    """Why machine code cannot be called, in words."""


class Function:
    """A function of C that takes one number of 64 bits and returns nothing. call: the caller's thread runs it, without
    Python's lock. Raises NoFunction."""

    def __init__(self, kernel: str, name: str) -> None:
        path, begin = _loaded(f"{kernel}.so")
        mode = os.RTLD_NOW | os.RTLD_NOLOAD
        try:
            self._library = ctypes.CDLL(path, mode)  # counts as a user of it
        except OSError as reason:
            raise NoFunction(f"{path} is not loaded: {reason}") from None
        offset = _offset(Path(path), name)
        if _loaded(f"{kernel}.so") != (path, begin):
            raise NoFunction(f"{path} was loaded again")
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(begin + offset)


def _loaded(name: str) -> tuple[str, int]:
    """The path of the only file of this name that is mapped, and where it begins."""
    if sys.platform != "linux":
        raise NoFunction("only known on Linux")
    found: dict[str, int] = {}
    with _MAPS.open(encoding="utf-8", errors="surrogateescape") as maps:
        for line in maps:
            if line.endswith(f"/{name}\n"):
                span, _, offset, _, _, path = line.rstrip("\n").split(None, 5)
                if int(offset, 16) == 0:
                    found.setdefault(path, int(span.split("-")[0], 16))
    if len(found) != 1:
        raise NoFunction(f"{len(found)} files {name} are loaded")
    return next(iter(found.items()))


def _offset(path: Path, name: str) -> int:
    """Where a function lies behind the beginning of a shared object, by its table of symbols; they are linked to begin
    at 0."""
    try:
        content = path.read_bytes()
        values = _functions(content, name.encode())
    except (OSError, struct.error, IndexError) as reason:
        raise NoFunction(f"{path}: {reason}") from None
    if len(values) != 1:
        raise NoFunction(f"{path} has {len(values)} functions {name}")
    return values[0]


def _functions(content: bytes, name: bytes) -> list[int]:
    if content[:6] != _IDENTITY:
        raise NoFunction("it is no shared object of 64 bits")
    (table,) = struct.unpack_from("<Q", content, 0x28)
    size, count = struct.unpack_from("<HH", content, 0x3A)
    sections: list[Any] = [_SECTION.unpack_from(content, table + i * size) for i in range(count)]
    found = []
    for _, kind, _, _, offset, nbytes, link, _, _, _ in sections:
        if kind != _SYMBOL_TABLE:
            continue
        names = sections[link][4]
        for at in range(offset, offset + nbytes, _SYMBOL.size):
            begin, info, _, section, value, _ = _SYMBOL.unpack_from(content, at)
            text = content[names + begin : names + begin + len(name) + 1]
            if info & 15 == _FUNCTION and section and text == name + b"\0":
                found.append(value)
    return found

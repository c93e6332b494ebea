"""Whether files that a compiler made are whole, by their structure: ELF objects and LLVM bitcode."""

from __future__ import annotations

import os
import struct
from pathlib import Path

_ELF = b"\x7fELF\x02\x01"  # 64 bits, little-endian
_BITCODE = b"BC\xc0\xde"
_ENTER_BLOCK = 1


def defect(path: Path) -> str | None:
    """What is wrong with an .so or .bc file, in words; None if nothing is, or if it is another kind of file."""
    look = {".so": _elf_defect, ".bc": _bitcode_defect}.get(path.suffix)
    if look is None:
        return None
    try:
        with open(path, "rb") as file:
            return look(file.fileno(), os.fstat(file.fileno()).st_size)
    except FileNotFoundError:  # removed meanwhile
        return None
    except OSError as reason:
        return f"cannot be read ({reason.strerror})"


def _elf_defect(file: int, size: int) -> str | None:
    """The table of sections ends an object file: where it is there, nothing is cut off."""
    head = os.pread(file, 64, 0)
    if len(head) < 64:
        return "is cut off"
    if not head.startswith(_ELF[:4]):
        return "is no object file"
    if not head.startswith(_ELF):
        return None  # of another machine: not ours to judge
    (table,) = struct.unpack_from("<Q", head, 40)
    entry, count = struct.unpack_from("<HH", head, 58)
    return "is cut off" if table + entry * count > size else None


def _bitcode_defect(file: int, size: int) -> str | None:
    """The blocks of the outermost level, each with its length, fill the file."""
    if os.pread(file, 4, 0) != _BITCODE:
        return "is no bitcode"
    at, blocks = 4, 0
    while at < size:
        head = os.pread(file, 8, at)
        if len(head) < 8:
            return "is cut off"
        word, length = struct.unpack("<II", head)
        if word & 3 != _ENTER_BLOCK:
            return None if not word and blocks else "is damaged"  # zeros may fill the end
        at, blocks = at + 8 + 4 * length, blocks + 1
    return "is cut off" if at > size or not blocks else None

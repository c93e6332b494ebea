"""What lies in PoCL's folder of compiled kernels: programs, their files, and the checksums of these."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from clconv.store import files
from clconv.store.files import Unusable

_FILE_LIMIT = 1 << 30
_PROGRAM = "program.bc"

Files = dict[str, list[object]]  # path below a program's folder -> [size, checksum]


def folders_of(content: object) -> dict[str, Files]:
    """Raises TypeError if a record is not as Programs writes it."""
    if not isinstance(content, dict) or not isinstance(content.get("folders"), dict):
        raise TypeError
    found: dict[str, Files] = content["folders"]
    for folder, listed in found.items():
        if len(Path(folder).parts) != 2 or ".." in folder or not isinstance(listed, dict):
            raise TypeError
        if not all(isinstance(entry, list) for entry in listed.values()):
            raise TypeError
    return found


def program_folders(root: Path) -> Iterator[Path]:
    for outer in _subfolders(root):
        if len(os.path.basename(outer)) == 2:
            yield from map(Path, _subfolders(outer))


def _subfolders(folder: str | Path) -> list[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []


def files_of(folder: Path) -> Iterator[Path]:
    """The files of a program that PoCL reads; what else lies at their names as well."""
    for here, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            if name.endswith((".so", ".bc")):
                yield Path(here, name)


def difference(path: Path, recorded: list[object]) -> str | None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size != recorded[0]:
            return f"has {status.st_size:,} bytes, it had {recorded[0]}"
        return None if _entry(path) == recorded else "has changed"
    except FileNotFoundError:
        return None
    except (OSError, Unusable) as reason:
        return f"cannot be read ({reason})"


def _entry(path: Path) -> list[object]:
    content = files.read(path, _FILE_LIMIT)
    return [len(content), hashlib.sha256(content).hexdigest()]


def listed(folder: Path) -> Files:
    """Raises OSError for what cannot be read."""
    try:
        return {str(p.relative_to(folder)): _entry(p) for p in files_of(folder)}
    except Unusable as reason:
        raise OSError(str(reason)) from None


def last_used(folder: Path) -> float:
    """When PoCL last used a program."""
    return time_of(folder / "last_accessed")


def time_of(path: Path) -> float:
    """When it was changed; 0 if it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def has_code(kernel: Path, local: tuple[int, ...] | None) -> bool:
    """Whether there is machine code in a kernel's folder, for that local size or, without one, for any."""
    size = "-".join(map(str, (*local, 1, 1)[:3])) if local else ""
    return any(kernel.glob(f"{size}*/*.so"))


def holds(folder: Path, symbols: Sequence[str]) -> bool:
    """Whether the program in a folder has all these kernels: bitcode has names as they are."""
    try:
        content = files.read(folder / _PROGRAM, _FILE_LIMIT)
    except (FileNotFoundError, Unusable):
        return False
    return all(symbol.encode() in content for symbol in symbols)


def is_of(folder: Path, symbols: Sequence[str]) -> bool:
    """Whether a program in a folder has these kernels, or any of them was launched."""
    return any((folder / symbol).is_dir() for symbol in symbols) or holds(folder, symbols)

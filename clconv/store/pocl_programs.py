"""PoCL's folder of compiled kernels, checked before PoCL reads it: a damaged file there ends the process.

PoCL puts each program into a folder whose name follows from its source (program.bc, and an .so for each kernel and
local size), each file written beside and renamed. Which folders a program of clconv has, and the checksums of their
files, are recorded after its first launches; before the program is built again, they are compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from clconv.errors import DeviceError, warn_once
from clconv.store import binaries, files
from clconv.store.files import Unusable
from clconv.store.marker import Marker, others_at_work
from clconv.store.pocl_folder import VARIABLE, Place, free_bytes
from clconv.store.trust import make_private, objection

_RECORDS = "clconv"  # our folder in PoCL's
_RECORD_LIMIT = 16 << 20
_FILE_LIMIT = 1 << 30
_ROOM = 8 << 20  # bytes that a compilation may take
_CLOCKS = 1.0  # seconds that a file's time may lie before ours
_WRITING = 60.0  # seconds that a process may take to write a file
_PROGRAM = "program.bc"

_Files = dict[str, list[object]]  # path below a program's folder -> [size, checksum]


class Programs:
    """The programs that lie in PoCL's folder. Not for several threads at once."""

    def __init__(self, place: Place) -> None:
        self._root, self._source = place.folder, place.source
        self._pending: dict[str, tuple[Sequence[str], float]] = {}
        self._folders: dict[str, tuple[str, ...]] = {}
        self._scanned = False
        self._death_found = 0.0  # when: what has no record and is older than that is not trusted
        self._marker: Marker | None = None
        self._lock = threading.Lock()

    def check(self, source: str, symbols: Sequence[str]) -> None:
        """Before a program is built: removes what is damaged of it, with a warning, and sees that there is room.

        symbols: of its kernels. Raises DeviceError where PoCL would end the process: without room, or with damaged
        files that cannot be removed.
        """
        root = self._root
        if root is None:
            return
        with self._lock, _device_errors(root):
            make_private(root)  # who deletes it while we run wants its room, not an error
            if free_bytes(root) < _ROOM:
                raise DeviceError(
                    f"{root}: {free_bytes(root) >> 20} MB are left, too few to compile kernels; make room, or set "
                    f"{VARIABLE} to another folder and start again"
                )
            key = _key(source)
            record = self._read(root, key) or self._copied(root, key)
            if record is None and not self._scanned:
                self._scanned = True
                for program in _program_folders(root):
                    self._verify(root, program, {})
            if record is None:
                self._begin(root)
                self._remove_distrusted(root, symbols)
            complete = record is not None
            for folder, known in (record or {}).items():
                complete &= self._verify(root, root / folder, known, key)
            self._folders[key] = tuple(record or ())
            if not complete:
                self._pending[key] = (symbols, time.time() - _CLOCKS)

    def is_gone(self, source: str) -> bool:
        """Whether the folder of a program that was built was deleted since."""
        root, folders = self._root, self._folders.get(_key(source), ())
        return root is not None and bool(folders) and not any((root / f).is_dir() for f in folders)

    def remember(self) -> None:
        """After first launches: records the files of the programs that were built since the last time."""
        root = self._root
        with self._lock, contextlib.suppress(OSError):
            if root is None or not self._pending:
                return
            if self._marker is not None:
                self._marker.remove()
                self._marker = None
            pending, self._pending = self._pending, {}
            folders = list(_program_folders(root))
            for key, (symbols, since) in pending.items():
                own = [f for f in folders if _last_used(f) >= since and _holds(f, symbols)]
                own += [root / f for f in self._folders.get(key, ()) if root / f not in own]
                record = {str(f.relative_to(root)): _listed(f) for f in own if f.is_dir()}
                self._folders[key] = tuple(record)
                if record:
                    make_private(root / _RECORDS)
                    text = json.dumps({"folders": record})
                    files.write(_record(root, key), text, private=True, durable=False)

    def _begin(self, root: Path) -> None:
        """From now until remember() a death of the process is evidence against what has no record."""
        if self._marker is None:
            make_private(root / _RECORDS)
            self._marker = Marker(root / _RECORDS)
            if self._marker.set():
                self._death_found = time.time()

    def _remove_distrusted(self, root: Path, symbols: Sequence[str]) -> None:
        """Where a process died between a build and its record: whatever there is of this program. What was made since
        is a living process's, which PoCL would end if its folder went."""
        if not self._death_found:
            return
        for folder in _program_folders(root):
            if max(_last_used(folder), _time_of(folder)) >= self._death_found:
                continue
            if any((folder / symbol).is_dir() for symbol in symbols) or _holds(folder, symbols):
                warn_once(
                    f"{root}: a process died while it compiled or loaded kernels; they are compiled anew",
                    about=f"died {root}",
                )
                shutil.rmtree(folder)

    def _read(self, root: Path, key: str) -> dict[str, _Files] | None:
        try:
            content = files.read(_record(root, key), _RECORD_LIMIT, objection)
            return _folders_of(json.loads(content))
        except (FileNotFoundError, Unusable):
            return None
        except (ValueError, RecursionError, TypeError):  # damaged: as if there were none
            return None

    def _copied(self, root: Path, key: str) -> dict[str, _Files] | None:
        """The record of a program that lies in the folder that cannot be written, which is copied."""
        if self._source is None:
            return None
        record = self._read(self._source, key)
        for folder in record or ():
            if (self._source / folder).is_dir() and not (root / folder).exists():
                make_private((root / folder).parent)
                shutil.copytree(self._source / folder, root / folder)
        return record

    def _verify(self, root: Path, folder: Path, known: _Files, key: str = "") -> bool:
        """Removes a program's folder, and its record by its key, if a file in it is damaged. Whether all files are known.
        A file without a record may be one that another process is writing."""
        complete = True
        for path in _files_of(folder):
            recorded = known.get(str(path.relative_to(folder)))
            wrong = binaries.defect(path) if recorded is None else _difference(path, recorded)
            complete &= recorded is not None
            if wrong and recorded is None and self._is_being_written(root, path):
                return False
            if wrong:
                warn_once(
                    f"{root}: compiled kernels were damaged ({path.relative_to(root)} {wrong}); they are removed and "
                    "compiled anew",
                    about=f"damaged {root}",
                )
                if key:  # what is made in its place would differ from it
                    _record(root, key).unlink(missing_ok=True)
                shutil.rmtree(folder)
                return False
        return complete and folder.is_dir()

    def _is_being_written(self, root: Path, path: Path) -> bool:
        """Whether a file is so new that another process, which is at work now, may not be through with it."""
        own = None if self._marker is None else self._marker.path
        return time.time() - _time_of(path) < _WRITING and others_at_work(root / _RECORDS, own)


def _key(source: str) -> str:
    """A program's name in the records: its source, and what else PoCL's choice of a folder depends on."""
    surroundings = sorted(
        f"{k}={v}" for k, v in os.environ.items() if k.startswith("POCL_") and k != VARIABLE
    )
    return hashlib.sha256("\n".join([*surroundings, source]).encode()).hexdigest()[:40]


def _record(root: Path, key: str) -> Path:
    return root / _RECORDS / f"{key}.json"


def _folders_of(content: object) -> dict[str, _Files]:
    """Raises TypeError if a record is not as remember() writes it."""
    if not isinstance(content, dict) or not isinstance(content.get("folders"), dict):
        raise TypeError
    found: dict[str, _Files] = content["folders"]
    for folder, listed in found.items():
        if len(Path(folder).parts) != 2 or ".." in folder or not isinstance(listed, dict):
            raise TypeError
        if not all(isinstance(entry, list) for entry in listed.values()):
            raise TypeError
    return found


@contextlib.contextmanager
def _device_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as reason:
        raise DeviceError(
            f"{root}: PoCL's folder of compiled kernels cannot be mended ({reason.strerror or reason}); set "
            f"{VARIABLE} to a folder that can be written"
        ) from None


def _program_folders(root: Path) -> Iterator[Path]:
    for outer in _subfolders(root):
        if len(os.path.basename(outer)) == 2:
            yield from map(Path, _subfolders(outer))


def _subfolders(folder: str | Path) -> list[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []


def _files_of(folder: Path) -> Iterator[Path]:
    """The files of a program that PoCL reads."""
    for here, _, names in os.walk(folder):
        for name in sorted(names):
            if name.endswith((".so", ".bc")):
                yield Path(here, name)


def _difference(path: Path, recorded: list[object]) -> str | None:
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


def _listed(folder: Path) -> _Files:
    """Raises OSError for what cannot be read."""
    try:
        return {str(p.relative_to(folder)): _entry(p) for p in _files_of(folder)}
    except Unusable as reason:
        raise OSError(str(reason)) from None


def _last_used(folder: Path) -> float:
    """When PoCL last used a program."""
    return _time_of(folder / "last_accessed")


def _time_of(path: Path) -> float:
    """When it was changed; 0 if it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _holds(folder: Path, symbols: Sequence[str]) -> bool:
    """Whether the program in a folder has all these kernels: bitcode has names as they are."""
    try:
        content = files.read(folder / _PROGRAM, _FILE_LIMIT)
    except (FileNotFoundError, Unusable):
        return False
    return all(symbol.encode() in content for symbol in symbols)

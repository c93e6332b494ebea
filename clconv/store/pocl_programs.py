"""PoCL's folder of compiled kernels, checked before PoCL reads it: a damaged file there ends the process.

PoCL puts each program into a folder whose name follows from its source (program.bc, and an .so for each kernel and
local size), each file written beside and renamed. Which folders a program of clconv has, and the checksums of their
files, are recorded after its first launches; before the program is built again, they are compared.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from clconv.errors import DeviceError, warn_once
from clconv.store import binaries, files
from clconv.store.files import Unusable
from clconv.store.marker import Marker, died_at_work, others_at_work
from clconv.store.pocl_earlier import Earlier
from clconv.store.pocl_files import (
    Files,
    difference,
    files_of,
    folders_of,
    has_code,
    holds,
    is_of,
    last_used,
    listed,
    program_folders,
    time_of,
)
from clconv.store.pocl_folder import VARIABLE, Place, free_bytes, lack_of_room
from clconv.store.trust import make_private, objection

_RECORDS = "clconv"  # our folder in PoCL's
_RECORD_LIMIT = 16 << 20
_ROOM = 8 << 20  # bytes that a compilation may take
_PLENTY = 4 << 30  # free bytes that nobody fills while kernels are compiled
_CLOCKS = 1.0  # seconds that a file's time may lie before ours
_WRITING = 60.0  # seconds that a process may take to write a file
_READ = ("POCL_", "PYOPENCL_BUILD_OPTIONS")  # by PoCL and pyopencl for each build
_TRIES = 3  # to record what others write at the same time


class Programs:
    """The programs that lie in PoCL's folder. Not for several threads at once."""

    def __init__(self, place: Place) -> None:
        self._root, self._source, self._wrong = place.folder, place.source, place.wrong
        self._pending: dict[str, tuple[Sequence[str], float]] = {}
        self._folders: dict[str, tuple[str, ...]] = {}
        self._earlier: Earlier | None = None
        self._recorded: set[str] | None = None  # folders that records named at the start
        self._started = time.time() - _CLOCKS
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
            lacks = lack_of_room(root, _ROOM)
            if lacks:
                raise DeviceError(
                    f"{root} {lacks}, and compiling kernels takes {_ROOM >> 20} MB: make room, or set {VARIABLE} to "
                    "another folder and start again"
                )
            key = _key(source)
            record = self._read(root, key) or self._copied(root, key)
            if record is None:
                self._earlier = self._earlier or Earlier(root)
                earlier = [f for f in self._earlier.of(symbols) if self._is_whole(root, f)]
                self._begin(root)
                self._remove_distrusted(root, symbols)
                self._remove_unrecorded(root, earlier)
            complete = record is not None
            for folder, known in (record or {}).items():
                complete &= self._verify(root, root / folder, known, key)
            self._folders[key] = tuple(record or ())
            if not complete:
                self._begin(root)
                self._pending[key] = (symbols, time.time() - _CLOCKS)

    def is_in_doubt(self) -> bool:
        """Whether a compilation may end the process: one died at it before, or the disk may be full before its end."""
        root = self._root
        if root is None:  # no folder serves, but PoCL takes its own, where there is one
            return bool(self._wrong)
        try:
            scarce = free_bytes(root) < _PLENTY
        except OSError:  # deleted since: it is made anew
            scarce = False
        return scarce or bool(self._death_found) or died_at_work(root / _RECORDS)

    def has(self, source: str, launched: Iterable[tuple[str, tuple[int, ...] | None]]) -> bool:
        """Whether the folders of a checked program hold machine code for these kernels, by symbol and local size."""
        root, folders = self._root, self._folders.get(_key(source), ())
        return root is not None and all(
            any(has_code(root / folder / symbol, local) for folder in folders)
            for symbol, local in launched
        )

    def lack(self) -> str:
        """The want of room to compile in, in words; empty where there is none."""
        if self._root is None:
            return self._wrong
        lacks = lack_of_room(self._root, _ROOM)
        return f"{self._root} {lacks}" if lacks else ""

    def discard(self, programs: Iterable[Sequence[str]]) -> None:
        """After a death: removes programs, by the symbols of their kernels, and what is cut off since we started."""
        root = self._root
        if root is None:
            return
        with self._lock, _device_errors(root):
            for folder in program_folders(root):
                if any(holds(folder, symbols) for symbols in programs) or (
                    last_used(folder) >= self._started
                    and any(map(binaries.defect, files_of(folder)))
                ):
                    shutil.rmtree(folder)

    def is_gone(self, source: str) -> bool:
        """Whether the folder of a program that was built was deleted since."""
        root, folders = self._root, self._folders.get(_key(source), ())
        return root is not None and bool(folders) and not any((root / f).is_dir() for f in folders)

    def remember(self) -> None:
        """After first launches: records the files of the programs that were built since the last time."""
        root = self._root
        if root is None or not self._pending:
            return
        with self._lock:
            pending, self._pending = self._pending, {}
            try:
                with contextlib.suppress(OSError):
                    self._record_all(root, pending)
            finally:
                if self._marker is not None:
                    self._marker.remove()
                    self._marker = None
                atexit.unregister(self.remember)

    def _record_all(self, root: Path, pending: dict[str, tuple[Sequence[str], float]]) -> None:
        folders = list(program_folders(root))
        for key, (symbols, since) in pending.items():
            own = [f for f in folders if last_used(f) >= since and holds(f, symbols)]
            own += [root / f for f in self._folders.get(key, ()) if root / f not in own]
            self._folders[key] = self._write_record(root, key, own)

    @staticmethod
    def _write_record(root: Path, key: str, own: Sequence[Path]) -> tuple[str, ...]:
        """The folders of a program that exist, once the record of them is true: another process that built the same may
        have written its files, which differ, between their reading and the writing of the record."""
        written: dict[str, Files] = {}
        for _ in range(_TRIES):
            record = {str(f.relative_to(root)): listed(f) for f in own if f.is_dir()}
            if record == written:
                break
            make_private(root / _RECORDS)
            text = json.dumps({"folders": record})
            files.write(_record(root, key), text, private=True, durable=False)
            written = record
        return tuple(written)

    def _begin(self, root: Path) -> None:
        """From now until remember() a death of the process is evidence against what has no record."""
        if self._marker is None:
            make_private(root / _RECORDS)
            self._marker = Marker(root / _RECORDS)
            if self._marker.set():
                self._death_found = time.time()
            atexit.register(self.remember)  # what was built and never launched has files, too

    def _remove_distrusted(self, root: Path, symbols: Sequence[str]) -> None:
        """Where a process died between a build and its record: whatever there is of this program. What was made since
        is a living process's, which PoCL would end if its folder went."""
        if not self._death_found:
            return
        for folder in program_folders(root):
            if max(last_used(folder), time_of(folder)) >= self._death_found:
                continue
            if is_of(folder, symbols):
                warn_once(
                    f"{root}: a process died while it compiled or loaded kernels; they are compiled anew",
                    about=f"died {root}",
                )
                shutil.rmtree(folder)

    def _is_whole(self, root: Path, folder: Path) -> bool:
        """Whether no file of a program is cut; else it goes."""
        self._verify(root, folder, {})
        return folder.is_dir()

    def _remove_unrecorded(self, root: Path, earlier: Sequence[Path]) -> None:
        """What was there at the start of this process, and has no record, nobody has held against a checksum: it is
        compiled anew, unless another process is at work, which may use it. earlier: what may be of one program."""
        own = None if self._marker is None else self._marker.path
        for folder in earlier:
            is_new = max(last_used(folder), time_of(folder)) >= self._started
            if is_new or not folder.is_dir() or self._has_record(root, folder):
                continue
            if not others_at_work(root / _RECORDS, own):
                shutil.rmtree(folder)

    def _has_record(self, root: Path, folder: Path) -> bool:
        if self._recorded is None:
            records = (root / _RECORDS).glob("*.json")
            self._recorded = {f for r in records for f in self._read(root, r.stem) or ()}
        return str(folder.relative_to(root)) in self._recorded

    def _read(self, root: Path, key: str) -> dict[str, Files] | None:
        try:
            content = files.read(_record(root, key), _RECORD_LIMIT, objection)
            return folders_of(json.loads(content))
        except (FileNotFoundError, Unusable):
            return None
        except (ValueError, RecursionError, TypeError):  # damaged: as if there were none
            return None

    def _copied(self, root: Path, key: str) -> dict[str, Files] | None:
        """The record of a program that lies in the folder that cannot be written, which is copied."""
        if self._source is None:
            return None
        record = self._read(self._source, key)
        for folder in record or ():
            if (self._source / folder).is_dir() and not (root / folder).exists():
                make_private((root / folder).parent)
                shutil.copytree(self._source / folder, root / folder)
        return record

    def _verify(self, root: Path, folder: Path, known: Files, key: str = "") -> bool:
        """Removes a program's folder, and its record by its key, if a file in it is damaged. Whether all files are known.
        A file may be one that another process is writing, or has written in the place of a recorded one: builds of one
        source by two processes at a time differ by the names of temporary files."""
        # What is gone is made anew, and differs.
        complete = all((folder / name).exists() for name in known)
        for path in files_of(folder):
            recorded = known.get(str(path.relative_to(folder)))
            wrong = binaries.defect(path) if recorded is None else difference(path, recorded)
            complete &= recorded is not None
            if wrong and self._is_being_written(root, path, key, recorded is not None):
                complete = False
            elif wrong:
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

    def _is_being_written(self, root: Path, path: Path, key: str, recorded: bool) -> bool:
        """Whether a file is so new that another process, which is at work now, may not be through with it; or, where
        there is a record of it, is newer than that, and whole."""
        since = time_of(_record(root, key)) - _CLOCKS if recorded else time.time() - _WRITING
        if time_of(path) < since or (recorded and binaries.defect(path)):
            return False
        return others_at_work(root / _RECORDS, None if self._marker is None else self._marker.path)


def _key(source: str) -> str:
    """A program's name in the records: its source, and what else PoCL's choice of a folder depends on."""
    surroundings = sorted(
        f"{k}={v}" for k, v in os.environ.items() if k.startswith(_READ) and k != VARIABLE
    )
    return hashlib.sha256("\n".join([*surroundings, source]).encode()).hexdigest()[:40]


def _record(root: Path, key: str) -> Path:
    return root / _RECORDS / f"{key}.json"


@contextlib.contextmanager
def _device_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as reason:
        raise DeviceError(
            f"{root}: PoCL's folder of compiled kernels cannot be mended ({reason.strerror or reason}); set "
            f"{VARIABLE} to a folder that can be written"
        ) from None

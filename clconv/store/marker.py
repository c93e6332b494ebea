"""Evidence that a process died at its work: a file that it keeps locked, and removes when it is done."""

from __future__ import annotations

import atexit
import contextlib
import os
from pathlib import Path

_BEGIN = "at-work-"
_HIDDEN = "new-"  # in front of it, until it is locked


class Marker:
    """One piece of work in a folder. POSIX only: the system drops the lock of a process that dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self.path = folder / f"{_BEGIN}{os.urandom(8).hex()}"
        self._owner = os.getpid()

    def set(self) -> bool:
        """Begins the work. Whether another process died at such work, and none is at it now."""
        import fcntl

        died, others = False, False
        for path in _markers(self._folder):
            if self._is_locked(path):
                others = True
            else:
                died = True
                path.unlink(missing_ok=True)
        # Locked before others see it: they would take it for that of a dead process.
        hidden = self._folder / f"{_HIDDEN}{self.path.name}"
        self._file = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with contextlib.suppress(
            OSError
        ):  # a file system without locks: at worst work is done anew
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(self.path)
        atexit.register(self.remove)
        return died and not others

    def remove(self) -> None:
        """Ends the work."""
        if self._file is not None and os.getpid() == self._owner:
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(self._file)
            self._file = None
            atexit.unregister(self.remove)

    @staticmethod
    def _is_locked(path: Path) -> bool:
        """Whether its process lives, or has just ended the work."""
        import fcntl

        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:  # it has just been removed, or is another user's
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(file)
        return not path.exists()  # who is done removes it before the lock goes


def died_at_work(folder: Path) -> bool:
    """Whether a process died at a piece of work in the folder, and none has taken note of it yet."""
    return any(not Marker._is_locked(path) for path in _markers(folder))


def others_at_work(folder: Path, own: Path | None) -> bool:
    """Whether a living process other than this one is at a piece of work in the folder."""
    return any(path != own and Marker._is_locked(path) for path in _markers(folder))


def _markers(folder: Path) -> list[Path]:
    """Those in the folder, which may have thousands of other files: Path.glob() would make a Path of each."""
    try:
        return [folder / name for name in os.listdir(folder) if name.startswith(_BEGIN)]
    except OSError:  # there is none
        return []

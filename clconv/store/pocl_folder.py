"""Where PoCL keeps compiled kernels: a folder that can be written, has room, and is this user's alone.

PoCL itself takes $POCL_CACHE_DIR, $XDG_CACHE_HOME/pocl/kcache, $HOME/.cache/pocl/kcache, or one folder for all users
under /tmp; reports no device where it cannot make it; loads machine code from it whoever owns it; and ends the process
where it is full.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import os
import shutil
import stat
import tempfile
from pathlib import Path

from clconv.errors import warn_once
from clconv.records import record
from clconv.store.kept import kept_path
from clconv.store.trust import make_private, objection

VARIABLE = "POCL_CACHE_DIR"
_ROOM = (
    32 << 20
)  # bytes that must be free at the start; ResNet-50 takes 2 MB, and as much while it is compiled


@record(frozen=True)
class Place:
    """folder: PoCL's, None if nothing can be written anywhere. wrong: with what PoCL would have taken, in words.
    source: that folder, if what lies there may be copied from it."""

    folder: Path | None
    wrong: str = ""
    source: Path | None = None

    def tell(self) -> None:
        """The warning that PoCL's folder is another one, for those who have PoCL."""
        if self.wrong and self.folder is not None:
            warn_once(
                f"PoCL's folder of compiled kernels {self.wrong}: {self.folder} serves instead; {VARIABLE} can name "
                "another one"
            )

    @property
    def remark(self) -> str:
        """For the message that there is no device."""
        if self.folder is not None or not self.wrong:
            return ""
        return f"; PoCL may be there, but its folder {self.wrong}: set {VARIABLE} to one that can be written"


@functools.cache
def settle_folder() -> Place:
    """Sees to it, before OpenCL is touched, that PoCL has a folder that serves: its own, or one of ours."""
    if not hasattr(os, "geteuid"):
        return Place(None)
    usual = _usual()
    wrong = "" if usual is None else _folder_problem(usual)
    if usual is not None and not wrong:
        os.environ[VARIABLE] = str(usual)  # where it looks is said, not guessed
        return Place(usual)
    # Not Path.is_dir(), which raises where a folder above may not be searched.
    source = usual if usual is not None and os.path.isdir(usual) and not _owner(usual) else None
    for folder in _ours():
        if not (_folder_problem(folder.parent, making=True) or _folder_problem(folder)):
            break
    else:
        temporary = _temporary()
        if temporary is None:
            return Place(None, wrong or "cannot be made")
        folder = temporary
    os.environ[VARIABLE] = str(folder)
    return Place(folder, wrong, source)


def _ours() -> list[Path]:
    """In the folder of what is kept, and in that for temporary files where there is one that can be written."""
    found = [kept_path("pocl")]
    with contextlib.suppress(FileNotFoundError):
        found.append(Path(tempfile.gettempdir(), f"clconv-{os.geteuid()}", "pocl"))
    return found


def _usual() -> Path | None:
    """The folder that PoCL takes; None if that would be the one for all users."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    home = os.environ.get("HOME")
    cache = os.environ.get("XDG_CACHE_HOME") or (home and f"{home}/.cache")
    return Path(cache, "pocl", "kcache") if cache else None


def _folder_problem(folder: Path, making: bool = False) -> str:
    """Why the folder does not serve, in words; making: it need only hold a folder."""
    try:
        make_private(folder)
    except OSError as reason:
        return f"{folder} cannot be made ({reason.strerror})"
    if not folder.is_dir():
        return f"{folder} is no folder"
    wrong = _owner(folder)
    if wrong:
        return f"{folder} {wrong}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written"
    lacks = "" if making else lack_of_room(folder, _ROOM)
    return f"{folder} {lacks}" if lacks else ""


def _owner(folder: Path) -> str | None:
    """What is wrong with its owner or mode. Machine code of others may not even be beside ours."""
    try:
        status = folder.stat()
    except OSError as reason:
        return f"cannot be read ({reason.strerror})"
    if stat.S_IMODE(status.st_mode) & 0o022:
        return f"can be written by others: chmod go-w {folder}"
    return objection(folder, status)


def free_bytes(folder: Path) -> int:
    """How much a file there may take."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def lack_of_room(folder: Path, wanted: int) -> str:
    """Why a file of so many bytes has no room there, in words: the disk is full, or a quota or a limit of the process is
    reached, which only who asks for the room is told."""
    free = free_bytes(folder)
    if free < wanted:
        return f"has only {free >> 20} MB left"
    if not hasattr(os, "posix_fallocate"):
        return ""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, wanted)
    except OSError as reason:
        if reason.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system without
            return f"cannot take {wanted >> 20} MB ({reason.strerror})"
    return ""


def _temporary() -> Path | None:
    """A folder for this process, removed at its end."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="clconv-"))
    except OSError:
        return None
    if lack_of_room(folder, _ROOM):
        folder.rmdir()
        return None
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder

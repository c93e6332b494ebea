"""Files are written whole or not at all, whatever stops it, and read only if they end."""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from clconv.store import files
from clconv.store.files import Unusable, read, replacing, write
from tests.patience import HANG, until

UNIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
OLD, NEW = b"old content, which is whole", b"new content, which is longer than the old one"


class FullDisk(io.FileIO):
    """A file on a disk that has room for so many bytes: the last write is short, as the system's is."""

    room = 0

    def write(self, content: Any) -> int:
        view = memoryview(content)
        if not FullDisk.room:
            raise OSError(28, "No space left on device")
        count = super().write(view[: FullDisk.room]) or 0
        FullDisk.room -= count
        return count


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(path: Any, mode: str, opener: Any = None) -> Any:
        return io.BufferedWriter(FullDisk(path, mode.replace("b", ""), opener=opener))

    monkeypatch.setattr(files, "open", opened, raising=False)


@pytest.mark.parametrize("before", [None, OLD], ids=["new", "old"])
def test_a_disk_that_is_full_at_any_byte_leaves_the_old_file(
    full_disk: None, tmp_path: Path, before: bytes | None
) -> None:
    path = tmp_path / "file"
    for room in range(len(NEW) + 1):
        if before is not None:
            path.write_bytes(before)
        FullDisk.room = room
        if room < len(NEW):
            with pytest.raises(OSError, match="No space left") as raised:
                write(path, NEW)
            assert raised.value.filename == str(path)
            assert (path.read_bytes() if path.exists() else None) == before
        else:
            write(path, NEW)
            assert path.read_bytes() == NEW
        assert [p.name for p in tmp_path.iterdir()] == ([path.name] if path.exists() else [])


def test_what_stops_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(NEW)
        raise KeyboardInterrupt
    assert path.read_bytes() == OLD and len(list(tmp_path.iterdir())) == 1


_FOREVER = """
import sys, itertools
from pathlib import Path
from clconv.store.files import write
for i in itertools.count():
    write(Path(sys.argv[1]), bytes([65 + i % 26]) * 100_000, durable=False)
"""


def test_kill_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for wait in (0.0, 0.003, 0.01, 0.02):
        path.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", _FOREVER, str(path)])
        until(path.exists)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        content = path.read_bytes()
        assert len(content) == 100_000 and len(set(content)) == 1


def test_what_a_killed_process_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f".clconv-{name}.new").write_text("half")
    os.utime(tmp_path / ".clconv-a.new", (1, 1))
    files.remove_abandoned(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".clconv-b.new"]


def test_a_link_stays_a_link_and_a_mode_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "folder" / "link"
    link.parent.mkdir()
    real.write_bytes(OLD)
    real.chmod(0o640)
    link.symlink_to(real)
    write(link, NEW)
    assert link.is_symlink() and real.read_bytes() == NEW
    assert os.name == "nt" or stat.S_IMODE(real.stat().st_mode) == 0o640


def test_private_files_are_for_one_user(tmp_path: Path) -> None:
    write(tmp_path / "file", NEW, private=True)
    assert os.name == "nt" or stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    write(tmp_path / ("n" * 255), NEW)
    assert (tmp_path / ("n" * 255)).read_bytes() == NEW


def test_what_is_no_regular_file_is_not_replaced() -> None:
    write(Path(os.devnull), NEW)
    assert not Path(os.devnull).is_file()


@UNIX
def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = "import sys; sys.stdout.write(open(sys.argv[1]).read())"
    with subprocess.Popen([sys.executable, "-c", code, pipe], stdout=subprocess.PIPE) as reader:
        write(pipe, NEW)
        assert reader.communicate(timeout=HANG)[0] == NEW
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@UNIX
def test_a_pipe_in_the_place_of_a_private_file_is_replaced(tmp_path: Path) -> None:
    """Nobody reads from it: who opened it to write would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path / "pipe", NEW, private=True)
    assert (tmp_path / "pipe").is_file() and (tmp_path / "pipe").read_bytes() == NEW
    with pytest.raises(OSError, match=r"directory"):
        write(tmp_path, NEW, private=True)


def test_a_folder_that_is_not_there_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        write(tmp_path / "nowhere" / "file", NEW)
    assert raised.value.filename == str(tmp_path / "nowhere" / "file")


@UNIX
def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(Unusable, match="no regular file"):
            read(path, 1 << 30)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing", 10)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Unusable, match="more than 1,024"):
        read(path, 1024)
    path.write_bytes(b"x" * 1024)
    assert read(path, 1024) == b"x" * 1024


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc")
def test_a_file_that_is_longer_than_it_says_is_not_read() -> None:
    assert Path("/proc/self/maps").stat().st_size == 0
    with pytest.raises(Unusable, match="more than the 0 bytes that it says"):
        read(Path("/proc/self/maps"), 16)


def test_a_small_file_takes_little_memory_whatever_the_limit(tmp_path: Path) -> None:
    """Else whoever has a limit of addresses cannot read what has 10 bytes."""
    path = tmp_path / "small"
    path.write_bytes(NEW)
    tracemalloc.start()
    try:
        assert read(path, 1 << 34) == NEW
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_librarys_own_error_keeps_its_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot write mode RGBA"), replacing(tmp_path / "file"):
        raise OSError("cannot write mode RGBA as JPEG")
    assert not list(tmp_path.iterdir())

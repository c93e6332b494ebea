"""PoCL's folder of compiled kernels: one that serves, and damaged files in it found before PoCL reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clconv.errors import ClconvWarning, DeviceError
from clconv.store import pocl_folder, pocl_programs
from clconv.store.binaries import defect
from clconv.store.pocl_folder import Place
from clconv.store.pocl_programs import Programs
from tests.store.pocl import fresh  # noqa: F401

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="PoCL is not here")


def elf(body: bytes = b"code") -> bytes:
    """A 64-bit object file whose table of sections, one entry, stands at its end."""
    table = 64 + len(body)
    head = b"\x7fELF\x02\x01\x01" + bytes(33) + table.to_bytes(8, "little") + bytes(10)
    return (
        head + (64).to_bytes(2, "little") + (1).to_bytes(2, "little") + bytes(2) + body + bytes(64)
    )


def bitcode(names: bytes = b"name") -> bytes:
    """Two blocks, as LLVM writes them, the second with names."""
    names += bytes(-len(names) % 4)
    blocks = ((13, b"\0\0\0\0" * 5), (23, names))
    return b"BC\xc0\xde" + b"".join(
        (1 | number << 2 | 5 << 10).to_bytes(4, "little")
        + (len(body) // 4).to_bytes(4, "little") + body
        for number, body in blocks
    )  # fmt: skip


@pytest.mark.parametrize(("name", "make"), [("k.so", elf), ("program.bc", bitcode)])
def test_a_file_cut_at_any_byte_has_a_defect(
    tmp_path: Path, name: str, make: Callable[[], bytes]
) -> None:
    path, whole = tmp_path / name, make()
    path.write_bytes(whole)
    assert defect(path) is None
    first_block = 32 if make is bitcode else -1  # there a file may end as well
    for length in set(range(len(whole))) - {first_block}:
        path.write_bytes(whole[:length])
        assert defect(path), f"{length} bytes"
    path.write_bytes(os.urandom(1000).replace(b"\x7f", b"x").replace(b"B", b"x"))
    assert defect(path)


SOURCE, SYMBOL = "kernel void k_1() {}", "k_1"


def compiled(root: Path) -> Path:
    """What PoCL leaves: bitcode with the kernel's name, an object, when it was used last."""
    folder = root / "AB" / "CDEF"
    (folder / SYMBOL / "1-1-1").mkdir(parents=True)
    (folder / "program.bc").write_bytes(bitcode(SYMBOL.encode()))
    (folder / SYMBOL / "1-1-1" / f"{SYMBOL}.so").write_bytes(elf())
    (folder / "last_accessed").write_bytes(b"")
    return folder


def filled(root: Path) -> Path:
    """One process built, launched and recorded a program."""
    programs = Programs(Place(root))
    programs.check(SOURCE, [SYMBOL])
    folder = compiled(root)
    programs.remember()
    assert len(list((root / "clconv").glob("*.json"))) == 1
    return folder


def age(folder: Path) -> None:
    """As if all of it was made long ago."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (1, 1))


def damage_cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def damage_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def damage_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def damage_kind(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: Any = [
    damage_kind,
    damage_cut,
    damage_zeros,
    damage_bit,
    lambda path: path.write_bytes(b""),
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["program.bc", f"{SYMBOL}/1-1-1/{SYMBOL}.so"])
def test_a_damaged_file_is_found_and_its_program_removed(
    root: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = filled(root)
    damage(folder / name)
    with pytest.warns(ClconvWarning, match="compiled kernels were damaged") as warned:
        Programs(Place(root)).check(SOURCE, [SYMBOL])
    assert len(warned) == 1 and not folder.exists()


def test_what_takes_the_place_of_a_deleted_file_is_recorded(
    root: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """A file of the same source has other bytes each time it is built."""
    folder = filled(root)
    (folder / "program.bc").unlink()
    second = Programs(Place(root))
    second.check(SOURCE, [SYMBOL])
    compiled_again = bitcode(SYMBOL.encode() + b" anew")
    (folder / "program.bc").write_bytes(compiled_again)
    second.remember()
    third = Programs(Place(root))
    third.check(SOURCE, [SYMBOL])
    assert not third._pending and folder.exists() and not recwarn.list


def test_what_is_whole_stays_and_is_not_written_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(root)
    again = Programs(Place(root))
    again.check(SOURCE, [SYMBOL])
    monkeypatch.setattr(pocl_programs.files, "write", lambda *_, **__: pytest.fail("written"))
    again.remember()
    assert folder.exists()


def test_what_another_start_added_is_recorded_too(root: Path) -> None:
    folder = filled(root)
    more = folder / SYMBOL / "2-1-1" / f"{SYMBOL}.so"
    more.parent.mkdir()
    more.write_bytes(elf(b"more"))
    second = Programs(Place(root))
    second.check(SOURCE, [SYMBOL])
    second.remember()
    damage_bit(more)
    with pytest.warns(ClconvWarning, match="2-1-1"):
        Programs(Place(root)).check(SOURCE, [SYMBOL])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"folders": {"../..": {}}}', '{"folders": 1}', '{"folders": {"AB/CDEF": [1]}}'])  # fmt: skip
def test_a_damaged_record_is_as_none_and_its_program_is_made_anew(root: Path, text: str) -> None:
    """Nothing shows whether its files are what they were."""
    folder = filled(root)
    (record,) = (root / "clconv").glob("*.json")
    record.write_text(text)
    damage_bit(folder / "program.bc")
    age(folder)
    Programs(Place(root)).check("another", ["k_2"])
    assert folder.exists()  # that one is not asked for
    Programs(Place(root)).check(SOURCE, [SYMBOL])
    assert folder.exists()  # the one above has not ended its work: it may be its own
    damage_cut(folder / "program.bc")
    Programs(Place(root)).check(SOURCE, [SYMBOL])
    assert folder.exists()
    age(folder)
    with pytest.warns(ClconvWarning, match="compiled kernels were damaged"):
        Programs(Place(root)).check(SOURCE, [SYMBOL])
    assert not folder.exists()


def test_what_nobody_recorded_is_compiled_anew(
    root: Path, recwarn: pytest.WarningsRecorder
) -> None:
    folder, foreign = compiled(root), root / "AB" / "OTHER"
    shutil.copytree(folder / SYMBOL, foreign / "of_another_package")
    age(folder)
    age(foreign)
    Programs(Place(root)).check(SOURCE, [SYMBOL])
    assert not folder.exists() and foreign.exists() and not recwarn.list


def test_what_was_built_since_the_start_stays(root: Path) -> None:
    programs = Programs(Place(root))
    folder = compiled(root)
    programs.check(SOURCE, [SYMBOL])
    assert folder.exists()


def test_what_a_trial_died_of_is_discarded(root: Path) -> None:
    """And what it left, cut off, but nothing else."""
    folder, other, cut = filled(root), root / "AB" / "OTHER", root / "AB" / "CUT"
    (other / "k_2").mkdir(parents=True)
    (other / "program.bc").write_bytes(bitcode(b"k_2"))
    shutil.copytree(other, cut)
    damage_cut(cut / "program.bc")
    (cut / "last_accessed").touch()
    programs = Programs(Place(root))
    programs.check(SOURCE, [SYMBOL])
    (folder / SYMBOL / "64-2-1-goffs0").mkdir()
    (folder / SYMBOL / "64-2-1-goffs0" / f"{SYMBOL}.so").write_bytes(elf())
    for size, there in (
        ((1, 1), True),
        ((64, 2), True),
        ((64,), False),
        ((6,), False),
        (None, True),
    ):
        assert programs.has(SOURCE, [(SYMBOL, size)]) is there
    assert not programs.has(SOURCE, [(SYMBOL, None), ("k_2", None)])
    programs.discard([[SYMBOL], ["k_2", "k_3"]])
    assert not folder.exists() and not cut.exists() and other.exists()
    assert not programs.has(SOURCE, [(SYMBOL, None)])


def test_when_a_compilation_is_in_doubt(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pocl_programs, "free_bytes", lambda folder: 1 << 40)
    assert not Programs(Place(None)).is_in_doubt()
    programs = Programs(Place(root))
    assert not programs.is_in_doubt()
    programs.check(SOURCE, [SYMBOL])  # is at work
    assert not programs.is_in_doubt() and not Programs(Place(root)).is_in_doubt()
    programs.remember()
    (root / "clconv" / "at-work-dead").touch()
    found = Programs(Place(root))
    assert found.is_in_doubt()
    found.check(SOURCE, [SYMBOL])  # notes the death
    assert found.is_in_doubt()
    found.remember()
    assert not Programs(Place(root)).is_in_doubt()
    monkeypatch.setattr(pocl_programs, "free_bytes", lambda folder: 1 << 30)
    assert programs.is_in_doubt()


def test_a_folder_that_was_deleted_is_made_and_its_programs_are_gone(root: Path) -> None:
    filled(root)
    programs = Programs(Place(root))
    programs.check(SOURCE, [SYMBOL])
    assert not programs.is_gone(SOURCE)
    shutil.rmtree(root)
    assert programs.is_gone(SOURCE)
    programs.check("other", ["other"])
    assert root.is_dir()


def test_without_room_nothing_is_compiled(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pocl_folder, "free_bytes", lambda folder: 1 << 20)
    with pytest.raises(DeviceError, match=r"only 1 MB left.*POCL_CACHE_DIR"):
        Programs(Place(root)).check(SOURCE, [SYMBOL])


def test_a_limit_of_files_is_as_a_full_disk(root: Path) -> None:
    """Or a quota: the system counts free room, and gives none."""
    code = (
        "import resource, sys; from pathlib import Path; from clconv.store.pocl_folder import Place; "
        "from clconv.store.pocl_programs import Programs; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); "
        "Programs(Place(Path(sys.argv[1]))).check('source', ['k_1'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, root], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "DeviceError" in done.stderr and "cannot take 8 MB (File too large)" in done.stderr


def test_a_filled_folder_that_cannot_be_written_is_copied(root: Path, tmp_path: Path) -> None:
    folder = filled(root)
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    Programs(Place(copy, "cannot be written", root)).check(SOURCE, [SYMBOL])
    there = copy / folder.relative_to(root) / "program.bc"
    assert there.read_bytes() == (folder / "program.bc").read_bytes()

"""Several processes that build the same program at a time: what each of them records, and what none takes for damage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clconv.errors import ClconvWarning
from clconv.store import files, pocl_programs
from clconv.store.pocl_folder import Place
from clconv.store.pocl_programs import Programs
from tests.store.pocl import fresh  # noqa: F401
from tests.store.test_pocl import SOURCE, SYMBOL, compiled, damage_bit, damage_cut, filled


def rewritten(path: Path) -> None:
    """As another process's compiler does it that began before there was one: other bytes of the same length."""
    content = bytearray(path.read_bytes())
    content[14] ^= 4
    beside = path.with_name("beside")
    beside.write_bytes(content)
    beside.replace(path)


def test_what_two_processes_build_at_a_time_is_not_damaged(
    root: Path, recwarn: pytest.WarningsRecorder
) -> None:
    first, second = Programs(Place(root)), Programs(Place(root))
    first.check(SOURCE, [SYMBOL])
    second.check(SOURCE, [SYMBOL])
    folder = compiled(root)
    first.remember()
    rewritten(folder / "program.bc")
    Programs(Place(root)).check(SOURCE, [SYMBOL])
    first.check(SOURCE, [SYMBOL])
    assert folder.exists()
    second.remember()
    third = Programs(Place(root))
    third.check(SOURCE, [SYMBOL])
    assert not third._pending and folder.exists() and not recwarn.list


def test_what_is_cut_is_damaged_also_while_others_are_at_work(root: Path) -> None:
    folder = filled(root)
    Programs(Place(root)).check("other", ["other"])
    damage_cut(folder / "program.bc")
    with pytest.warns(ClconvWarning, match="compiled kernels were damaged"):
        Programs(Place(root)).check(SOURCE, [SYMBOL])
    assert not folder.exists()


def test_a_record_is_of_what_lies_there_when_it_is_written(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes its files between the reading of these and the writing of the record."""
    programs, write = Programs(Place(root)), files.write
    programs.check(SOURCE, [SYMBOL])
    folder = compiled(root)
    rewrites = [True]

    def meanwhile(*given: Any, **more: Any) -> None:
        if rewrites:
            rewrites.pop()
            rewritten(folder / "program.bc")
        write(*given, **more)

    monkeypatch.setattr(pocl_programs.files, "write", meanwhile)
    programs.remember()
    again = Programs(Place(root))
    again.check(SOURCE, [SYMBOL])
    assert not again._pending and folder.exists()


def test_what_is_built_and_never_launched_is_recorded_at_the_end(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from clconv.store.pocl_folder import Place; "
        "from clconv.store.pocl_programs import Programs; from tests.store.test_pocl import *; "
        "Programs(Place(Path(sys.argv[1]))).check(SOURCE, [SYMBOL]); compiled(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, root], check=True)
    assert not list((root / "clconv").glob("at-work-*"))
    damage_bit(root / "AB" / "CDEF" / "program.bc")
    with pytest.warns(ClconvWarning, match="compiled kernels were damaged"):
        Programs(Place(root)).check(SOURCE, [SYMBOL])

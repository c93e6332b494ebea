"""Rendered sources are kept as text, checked when read, and made of the templates that there are now."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from clconv import errors
from clconv.errors import ClconvWarning
from clconv.lowering.model import template
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.template import program_source

CACHES = (template._templates, template.origin, template.prelude, template.render)
KERNELS = (Kernel.of("address.cl.mako", "address"),)


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(errors, "_warned", set())
    for cached in CACHES:
        cached.cache_clear()
    yield
    for cached in CACHES:
        cached.cache_clear()


def kept(tmp_path: Path) -> list[Path]:
    return sorted(p for p in (tmp_path / "cache").rglob("*") if p.is_file())


def test_sources_are_kept_as_text_and_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = program_source(KERNELS)
    (path,) = kept(tmp_path)
    assert path.read_bytes().partition(b"\n")[2].decode() == text
    assert not list((tmp_path / "cache").rglob("*.py"))
    monkeypatch.setattr(template, "_program_source", lambda kernels: pytest.fail("rendered again"))
    assert program_source(KERNELS) == text


def test_the_second_time_needs_no_mako(monkeypatch: pytest.MonkeyPatch) -> None:
    program_source(KERNELS)
    monkeypatch.setattr(template, "_templates", lambda: pytest.fail("a template was compiled"))
    program_source(KERNELS)


@pytest.mark.parametrize("what", ["cut", "emptied", "changed", "longer", "binary"])
def test_a_damaged_text_is_made_anew_with_one_warning(tmp_path: Path, what: str) -> None:
    text = program_source(KERNELS)
    (path,) = kept(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "cut": whole[: len(whole) // 2], "emptied": b"", "longer": whole + b" ",
            "changed": whole.replace(b"global", b"glubal"), "binary": bytes(range(256)),
        }[what]
    )  # fmt: skip
    with pytest.warns(ClconvWarning, match="damaged") as warned:
        assert program_source(KERNELS) == text
    assert len(warned) == 1 and path.read_bytes() == whole


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    text = program_source(KERNELS)
    (path,) = kept(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.warns(ClconvWarning, match="no regular file"):
        assert program_source(KERNELS) == text


def test_other_templates_are_not_taken_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if they are older than what is kept."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    for name in ("prelude.cl.mako", "math.mako", "half.mako"):
        (folder / name).write_text("")
    monkeypatch.setattr(template, "kernel_folder", lambda: folder)
    for text in ("first", "second"):
        (folder / "a.cl.mako").write_text(text)
        for cached in CACHES:
            cached.cache_clear()
        assert text in program_source((Kernel.of("a.cl.mako", "a"),))


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(ClconvWarning, match="cannot be read"):
        assert "address" in program_source(KERNELS)


def test_templates_import_what_their_origin_covers() -> None:
    """Modules of the rooms that it reads; code elsewhere could change without a new origin."""
    found = 0
    for path in template.kernel_folder().rglob("*.mako"):
        for module in re.findall(r"from clconv\.(\S+) import", path.read_text(encoding="utf-8")):
            room, *below = module.split(".")
            file = template.PACKAGE.joinpath(room, *below).with_suffix(".py")
            assert room in ("lowering", "planning") and file.is_file(), f"{path}: {module}"
            found += 1
    assert found

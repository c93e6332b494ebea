"""The Python code of templates is kept, and serves only for what it was made of."""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType

import pytest
from mako.lookup import TemplateLookup

from clconv.errors import TemplateError
from clconv.lowering.model import template
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.template import kernel_folder, render, template_names
from clconv.lowering.model.template_code import Templates


class _Counted(Templates):
    """Counts what Mako reads itself."""

    def __init__(self, *folders: Path) -> None:
        super().__init__(*folders)
        self.read: list[str] = []

    def read_anew(self, uri: str) -> object:
        self.read.append(uri)
        return super().read_anew(uri)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.cl.mako").write_text(
        '<%namespace name="b" file="b.mako"/>${b.twice(x)}'
    )
    (tmp_path / "room" / "b.mako").write_text('<%def name="twice(x)">${x}${x}</%def>')
    return tmp_path


A, B = "room/a.cl.mako", "room/b.mako"


def _rendered(folder: Path) -> tuple[str, list[str]]:
    templates = _Counted(folder)
    return str(templates.get_template(A).render(x=1)), templates.read


def test_it_is_made_once(folder: Path) -> None:
    assert _rendered(folder) == ("11", [A, B])
    assert _rendered(folder) == ("11", [])
    assert len(list(folder.rglob("__pycache__/*"))) == 2


def test_another_text_is_read(folder: Path) -> None:
    """Of the same length, and in the same second."""
    _rendered(folder)
    (folder / "room" / "b.mako").write_text('<%def name="twice(x)">${x}+${x}</%def>')
    assert _rendered(folder) == ("1+1", [B])
    (folder / "room" / "b.mako").write_text('<%def name="twice(x)">${x}-${x}</%def>')
    assert _rendered(folder) == ("1-1", [B])
    assert _rendered(folder) == ("1-1", [])


@pytest.mark.parametrize("keep", [0, 31, 32, 50], ids=lambda n: f"{n} bytes")
def test_what_is_damaged_is_made_anew(folder: Path, keep: int) -> None:
    _rendered(folder)
    for kept in folder.rglob("__pycache__/*"):
        kept.write_bytes(kept.read_bytes()[:keep])
    assert _rendered(folder) == ("11", [A, B])
    assert _rendered(folder) == ("11", [])


def test_of_another_place_or_version_it_is_made_anew(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rendered(folder)
    monkeypatch.setattr("mako.__version__", "0.1")
    assert _rendered(folder)[1] == [A, B]
    moved = folder.rename(tmp_path.with_name(f"{tmp_path.name} moved"))
    assert _rendered(moved) == ("11", [A, B])


def test_nothing_is_written_where_python_writes_no_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for _ in range(2):
        assert _rendered(folder) == ("11", [A, B])
    assert not list(folder.rglob("__pycache__"))


def test_where_nothing_can_be_written_it_is_made_each_time(folder: Path) -> None:
    (folder / "room" / "__pycache__").write_text("no folder")
    for _ in range(2):
        assert _rendered(folder) == ("11", [A, B])


def test_an_error_of_kept_code_shows_its_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / A).write_text("first\nx = ${1 // width};\n")
    for _ in range(2):
        templates = Templates(folder)
        monkeypatch.setattr(template, "_templates", lambda found=templates: found)
        render.cache_clear()
        assert "x = 1;" in render(Kernel.of(A, "a", width=1))
        with pytest.raises(TemplateError, match=r"   2  x = \$\{1 // width\};") as raised:
            render(Kernel.of(A, "a", width=0))
        assert "line 2" in str(raised.value)
    render.cache_clear()


def _text(code: CodeType) -> set[str]:
    """What it writes, and the expressions of its attributes."""
    found = {one for one in code.co_consts if isinstance(one, str)}
    return found.union(*(_text(one) for one in code.co_consts if isinstance(one, CodeType)))


def test_all_templates_are_as_mako_makes_them() -> None:
    """Read by Mako alone, then kept, and read from what is kept: the same functions."""
    mako = TemplateLookup([str(kernel_folder())], strict_undefined=True, input_encoding="utf-8")
    for name in template_names():
        usual = mako.get_template(name).module.render_body.__code__
        for _ in range(2):
            found = Templates(kernel_folder()).get_template(name).module.render_body.__code__
            assert _text(found) == _text(usual)

"""The documentation site: every page has a place in its navigation, every public name one in its reference."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

import clconv
from tests.tools.docstring_lists import as_list
from tests.tools.site_pages import REFERENCE, described, for_mkdocs, reference_page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def navigation() -> list[str]:
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    block = re.search(r"^nav:\n((?: .*\n)+)", settings, re.M)
    assert block is not None
    return re.findall(r": (\S+\.(?:md|ipynb))$", block[1], re.M)


def test_every_page_is_in_the_navigation_once() -> None:
    written = [p.name for p in DOCS.iterdir() if p.suffix in (".md", ".ipynb")]
    made = [f"reference/{stem}.md" for stem in REFERENCE]
    assert sorted(navigation()) == sorted(written + made), "mkdocs.yml and docs/ differ"


def test_every_public_name_is_in_the_reference() -> None:
    names = [name for _, _, listed in REFERENCE.values() for name in listed]
    shown = {one for name in names for one in described(name)}
    for name in clconv.__all__:
        if not name.startswith("__"):
            full = f"clconv.{name}"
            assert full in shown or full in names or f"clconv.errors.{name}" in shown, (
                f"{full} is on no page of REFERENCE in tests/tools/site_pages.py"
            )
    assert {"clconv.layers.Conv2d", "clconv.optim.SGD", "clconv.errors.ForkError"} <= shown
    assert "clconv.compat.onnxruntime.InferenceSession" in shown


@pytest.mark.parametrize("stem", REFERENCE)
def test_a_page_of_the_reference_names_what_it_describes(stem: str) -> None:
    page = reference_page(stem)
    assert page.startswith("# ") and "\n::: clconv." in page


def test_a_function_is_read_where_a_module_has_its_name() -> None:
    assert "::: clconv.visualize.maximize.maximize\n" in reference_page("inside")
    assert "heading: clconv.visualize.maximize\n" in reference_page("inside")


def test_parameters_become_a_list() -> None:
    text = "Does it.\n\nx, y: what goes in. rate(step): how far; first: the rest.\nRaises InputError for none."
    assert as_list(text, {"x", "y", "rate", "first"}) == (
        "Does it.\n\n- `x`, `y`: what goes in.\n- `rate`(step): how far\n- `first`: the rest.\n"
        "\nRaises InputError for none."
    )


@pytest.mark.parametrize(
    "text", ["One note: nothing else.", "Text.\n\n    x: code\n    y = x", "Shapes (a: b) of x:y."]
)
def test_other_colons_stay(text: str) -> None:
    assert as_list(text, {"x", "y"}) == text


def test_a_page_is_made_fit_for_mkdocs() -> None:
    text = "[a](../CONTRIBUTING.md) [b](tour.ipynb) [c](python.md#x)\n\n1. One\n   - inside\n\n   more\n\nOut\n   in"
    assert for_mkdocs(text) == (
        "[a](https://github.com/clconv/clconv/blob/main/CONTRIBUTING.md) [b](tour.md) [c](python.md#x)"
        "\n\n1. One\n    - inside\n\n    more\n\nOut\n   in"
    )


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda p: p.name)
def test_lists_begin_after_an_empty_line(page: Path) -> None:
    """GitHub shows a list there in any case, MkDocs a line of text."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    lines = text.splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"([-*]|\d+\.) ", line):
            assert not before or before[0] == " " or re.match(r"([-*]|\d+\.) ", before), line

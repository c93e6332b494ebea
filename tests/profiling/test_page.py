"""The page needs no other file, shows names as text whatever is in them, and works in a browser."""

from __future__ import annotations

import html.parser
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clconv.profiling import page
from clconv.profiling.page import page_text
from tests.profiling.support import NASTY, planted

ROWS = [NASTY, "pool"]


class Elements(html.parser.HTMLParser):
    """What a browser would see: every element's attributes, and the content of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def test_the_page_needs_no_other_file() -> None:
    elements = Elements(page_text(planted())).found
    for tag, attributes in elements:
        assert tag not in ("link", "iframe", "img", "object", "embed"), tag
        assert not {"src", "href", "srcset", "onerror", "onclick"} & attributes.keys(), tag
    assert "http" not in re.sub(
        r"http://www\.w3\.org/2000/svg|http-equiv", "", page_text(planted())
    )


def test_names_cannot_end_the_script() -> None:
    text = page_text(planted())
    data, code = Elements(text).scripts
    assert text.lower().count("</script") == 2 and "planted" not in code
    content = json.loads(data)
    assert content["layers"][0]["layer"] == NASTY and content["model"] == f"{NASTY}.onnx"
    assert not set("<>&\u2028\u2029") & set(data)


def test_too_many_bars_are_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_MOST_BARS", 2)
    content = json.loads(Elements(page_text(planted())).scripts[0])
    assert content["bars_left_out"] == 2
    assert [bar[1] for bar in content["timeline"]] == [NASTY, "pool"]


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page in a headless Chromium, and what went wrong in it. CHROMIUM names one that is not on the path."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    arguments = ["--no-sandbox", *os.environ.get("CHROMIUM_FLAGS", "").split()]
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=arguments)
        except api.Error as reason:
            pytest.skip(f"no Chromium to start: {str(reason).splitlines()[0]}")
        target = tmp_path_factory.mktemp("page") / "profile.html"
        target.write_text(page_text(planted()), encoding="utf-8")
        opened = browser.new_page()
        opened.wrong = []
        opened.on("pageerror", lambda error: opened.wrong.append(str(error)))
        opened.on(
            "console", lambda said: opened.wrong.append(said.text) if said.type == "error" else None
        )
        opened.on(
            "request",
            lambda asked: None if asked.url.startswith("file:") else opened.wrong.append(asked.url),
        )
        opened.goto(Path(target).as_uri())
        yield opened
        browser.close()


def column(browser_page: Any, key: str) -> list[str]:
    cells: list[str] = browser_page.evaluate(
        """key => {
          const at = [...document.querySelectorAll("#rows th")].findIndex(th => th.dataset.key === key);
          return [...document.querySelectorAll("#rows tbody tr")].map(row => row.cells[at].textContent);
        }""",
        key,
    )
    return cells


def test_a_browser_shows_and_sorts_the_table(browser_page: Any) -> None:
    assert browser_page.title() == f"{NASTY}.onnx: clconv profile"
    assert column(browser_page, "layer") == ROWS
    assert column(browser_page, "seconds") == ["4.000", "2.000"]
    browser_page.click("#rows th[data-key=seconds] button")
    assert column(browser_page, "seconds") == ["2.000", "4.000"]
    assert browser_page.get_attribute("#rows th[data-key=seconds]", "aria-sort") == "ascending"
    browser_page.click("#rows th[data-key=layer] button")
    assert column(browser_page, "layer") == sorted(ROWS)
    browser_page.click("nav button[data-by=launches]")
    browser_page.click("#rows th[data-key=gflops] button")
    assert column(browser_page, "gflops") == ["2.0", "0.0", "0.0"]
    browser_page.fill("#filter", "pool_b")
    assert column(browser_page, "kernel") == ["pool_blocked"]
    browser_page.fill("#filter", "")
    browser_page.click("nav button[data-by=kernels]")
    assert len(column(browser_page, "kernel")) == 3
    assert browser_page.evaluate("window.planted") is None and browser_page.wrong == []


def test_a_browser_draws_the_timeline(browser_page: Any) -> None:
    browser_page.click("#all")
    assert browser_page.locator("#timeline rect.bar").count() == 4  # loading is not in it
    lanes = browser_page.evaluate(
        """() => [...document.querySelectorAll("#timeline text")].map(t => t.textContent)"""
    )
    assert lanes[-4:] == ["host", "worker 0", "worker 9", "worker 10"]
    assert NASTY in browser_page.locator("#timeline rect title").nth(1).text_content()
    wide = browser_page.locator("#timeline rect.bar").nth(1).get_attribute("width")
    browser_page.click("#in")
    assert (
        float(browser_page.locator("#timeline rect.bar").nth(0).get_attribute("width"))
        > float(wide) / 2
    )
    browser_page.click("#all")
    browser_page.click("nav button[data-by=layers]")
    browser_page.locator("#timeline rect.bar").nth(2).click()
    assert browser_page.locator("#rows tr.chosen td").first.text_content() == "pool"
    assert browser_page.locator("#timeline rect.chosen").count() == 2
    assert browser_page.evaluate("window.planted") is None and browser_page.wrong == []

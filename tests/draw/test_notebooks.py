"""The drawing in what notebooks show of a graph."""

from __future__ import annotations

from typing import Any

import pytest

import clconv.api  # noqa: F401 - what notebooks show of a graph comes from there
from clconv import draw
from clconv.errors import ConfigError
from clconv.layers import Conv2d, Relu, Sequential

NETWORK = Sequential(Conv2d(4, 3), Relu()).build((3, 8, 8))


def test_a_graph_is_drawn() -> None:
    pytest.importorskip("grandalf", reason="draws graphs: pip install 'clconv[viz]'")
    assert "<svg" in NETWORK._repr_html_()


def test_what_would_draw_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> str:
        raise ConfigError("pip install 'clconv[viz]' <draws>")

    monkeypatch.setattr(draw, "svg", refuse)
    shown = NETWORK._repr_html_()
    assert "clconv[viz]" in shown and "&lt;draws&gt;" in shown and "<svg" not in shown

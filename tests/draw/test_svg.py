"""The drawing of a graph: what stands in it, where, and that no name can become markup."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

import clconv
from clconv import layers as L
from clconv.draw import svg
from clconv.draw.boxes import drawing
from clconv.draw.kinds import COLOURS, kind_of
from clconv.draw.layout import dot_text, from_plain, layout
from clconv.errors import ConfigError
from clconv.graph.ops import OPS
from tests.cli.conftest import Clconv

EVIL = '</text><script>alert("1")</script>&<!-- "]; n9 -> n9 \x1b\ufffe'

needs_layout = pytest.mark.skipif(
    shutil.which("dot") is None and importlib.util.find_spec("grandalf") is None,
    reason="neither Graphviz's dot nor grandalf is installed",
)


def small(name: str = "conv") -> clconv.Graph:
    return L.Sequential(
        L.Conv2d(4, 3, padding=1, name=name),
        L.Relu(),
        L.MaxPool2d(2),
        L.Dense(2, name="dense"),
    ).build((3, 8, 8), batch=1)


def test_an_activation_joins_its_layer_and_arrows_carry_shapes() -> None:
    drawn = drawing(small())
    conv = next(box for box in drawn.boxes if box.kind == "convolution")
    assert conv.lines == ("Conv 3×3, 3->4", "conv", "+ Relu")
    labels = {drawn.boxes[a.source].lines[0]: a.label for a in drawn.arrows}
    assert labels["Conv 3×3, 3->4"] == "1×4×8×8"
    assert labels["MaxPool 2×2, stride 2"] == "1×4×4×4"


def test_open_sizes_are_drawn_without_shapes() -> None:
    graph = small()
    spec = graph.specs["input"]
    opened = graph.replace(specs={"input": type(spec)(("n", 3, 8, 8), spec.dtype)})
    assert {a.label for a in drawing(opened).arrows} <= {"", "n×3×8×8"}
    assert "5×4×4×4" in {
        a.label for a in drawing(opened, {"input": type(spec)((5, 3, 8, 8))}).arrows
    }


def test_dot_is_told_no_names_and_its_answer_is_read() -> None:
    drawn = drawing(small(EVIL))
    text = dot_text(drawn)
    assert "script" not in text and re.fullmatch(r'[\w\s{}\[\]=."\->;]+', text)
    rows = ["graph 1 2 5"] + [f"node n{i} 1 {4 - i} 1 1" for i in range(len(drawn.boxes))]
    rows += [f"edge n{a.source} n{a.target} 4 1 4 1 3 1 2 1 1 solid black" for a in drawn.arrows]
    placed = from_plain("\n".join(rows), drawn)
    assert placed.curved and placed.height == 360
    assert placed.centres[:2] == ((72, 72), (72, 144))  # upside down: dot's origin is below
    assert placed.paths[0] == ((72, 72), (72, 144), (72, 216), (72, 288))


def test_every_operator_is_of_a_kind_that_has_a_colour() -> None:
    assert {kind_of(op) for op in OPS} <= COLOURS.keys()
    wanted = {"Conv": "convolution", "ByteConv": "convolution", "QLinearMatMul": "matrix product"}
    wanted |= {"Relu": "activation", "Add": "arithmetic", "ReduceMax": "pooling, reduction"}
    assert {op: kind_of(op) for op in wanted} == wanted


@needs_layout
def test_boxes_lie_below_what_they_read_and_do_not_overlap() -> None:
    drawn = drawing(small())
    placed = layout(drawn)
    for arrow in drawn.arrows:
        assert placed.centres[arrow.target][1] > placed.centres[arrow.source][1]
    spans = sorted(
        (y - b.height / 2, y + b.height / 2)
        for (_, y), b in zip(placed.centres, drawn.boxes, strict=True)
    )
    assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(spans))


@needs_layout
def test_a_name_cannot_become_markup() -> None:
    graph = small(EVIL)
    text = svg(graph.replace(name=EVIL))
    root = ElementTree.fromstring(text)
    assert "<script" not in text and "<!--" not in text
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags == {"svg", "g", "rect", "text", "title", "path", "defs", "marker"}
    assert any("alert" in (element.text or "") for element in root.iter())


@needs_layout
def test_the_legend_lists_the_kinds_that_are_there() -> None:
    root = ElementTree.fromstring(svg(small()))
    texts = {element.text for element in root.iter()}
    assert {"convolution", "pooling, reduction", "matrix product", "input, output"} <= texts
    assert "resampling" not in texts


def test_without_a_layout_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "grandalf.graphs", None)
    with pytest.raises(ConfigError, match=r"pip install 'clconv\[viz\]'"):
        layout(drawing(small()))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--svg out.png", ".svg"),
        ("--svg no/such.svg", "no folder"),
        ("--svg a.svg --plan", "--plan"),
    ],
)
def test_bad_uses_end_before_the_model_is_read(more: str, said: str) -> None:
    Clconv().fails("show", "no.onnx", *more.split(), saying=said)

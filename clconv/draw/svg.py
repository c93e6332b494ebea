"""A graph as SVG text. ElementTree writes it, so that no name of a model can become markup."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from xml.etree import ElementTree

from clconv.debug import printable
from clconv.draw.boxes import Box, Drawing, drawing
from clconv.draw.kinds import COLOURS, ENDS
from clconv.draw.layout import Placed, Point, layout
from clconv.graph.ir import Graph, TensorSpec

_MARGIN, _LEGEND_ROW, _LEGEND_WIDTH = 16.0, 22.0, 150.0
_BEND = 9.0
_FONT = "Helvetica, Arial, sans-serif"
_MARK = "clconv-arrow"


def svg(graph: Graph, specs: Mapping[str, TensorSpec] | None = None) -> str:
    """The graph drawn from above to below, a colour for each kind of layer, shapes beside the arrows.

    specs: of the inputs whose sizes the graph leaves open. An activation or batch norm that follows a layer stands in
    the layer's box; full names are the boxes' titles, which browsers show under the pointer. The text is one element,
    <svg>, which an HTML page can hold as it is.

    Raises ConfigError if neither Graphviz's dot nor grandalf is installed, ShapeError where sizes do not fit.
    """
    drawn = drawing(graph, specs)
    placed = layout(drawn)
    kinds = [kind for kind in COLOURS if any(box.kind == kind for box in drawn.boxes)]
    columns = max(1, min(len(kinds), int(max(placed.width, 460) // _LEGEND_WIDTH)))
    head = _LEGEND_ROW * -(-len(kinds) // columns) + _MARGIN
    width = max(placed.width, columns * _LEGEND_WIDTH) + 2 * _MARGIN + 60
    height = placed.height + head + 2 * _MARGIN
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg", "width": f"{width:.0f}", "height": f"{height:.0f}",
            "viewBox": f"0 0 {width:.0f} {height:.0f}", "font-family": _FONT, "font-size": "12",
        },
    )  # fmt: skip
    _child(root, "title", text=graph.name)
    _child(root, "rect", width=width, height=height, fill="#ffffff")
    mark = _child(
        _child(root, "defs"), "marker", id=_MARK, viewBox="0 0 8 8", refX=8, refY=4, markerWidth=7,
        markerHeight=7, orient="auto",
    )  # fmt: skip
    _child(mark, "path", d="M0 0 L8 4 L0 8 z", fill="#555555")
    _legend(root, kinds, columns)
    left = max(_MARGIN, (width - placed.width) / 2)
    body = _child(root, "g", transform=f"translate({left:.1f} {head + _MARGIN:.1f})")
    _arrows(body, drawn, placed)
    for box, centre in zip(drawn.boxes, placed.centres, strict=True):
        _box(body, box, centre)
    _labels(body, drawn, placed)
    return ElementTree.tostring(root, encoding="unicode")


def _child(
    parent: ElementTree.Element, tag: str, text: str = "", **attributes: object
) -> ElementTree.Element:
    named = {
        key.replace("_", "-"): f"{v:.1f}" if isinstance(v, float) else str(v)
        for key, v in attributes.items()
    }
    found = ElementTree.SubElement(parent, tag, named)
    if text:
        # Two characters that printable() leaves and XML does not allow.
        lines = (
            printable(line).replace("\ufffe", "?").replace("\uffff", "?")
            for line in text.split("\n")
        )
        found.text = "\n".join(lines)
    return found


def _legend(root: ElementTree.Element, kinds: list[str], columns: int) -> None:
    for i, kind in enumerate(kinds):
        row, column = divmod(i, columns)
        x, y = _MARGIN + column * _LEGEND_WIDTH, _MARGIN + row * _LEGEND_ROW
        _child(
            root, "rect", x=x, y=y, width=16, height=14, rx=3, fill=COLOURS[kind], stroke="#777777"
        )
        _child(root, "text", kind, x=x + 22, y=y + 11, fill="#222222")


def _box(body: ElementTree.Element, box: Box, centre: Point) -> None:
    group = _child(body, "g")
    _child(group, "title", box.title)
    x, y = centre[0] - box.width / 2, centre[1] - box.height / 2
    _child(
        group, "rect", x=x, y=y, width=box.width, height=box.height, rx=5, fill=COLOURS[box.kind],
        stroke="#777777",
    )  # fmt: skip
    for i, line in enumerate(box.lines):
        is_name = i == 1 and box.kind != ENDS
        _child(
            group, "text", line, x=centre[0], y=y + 17 + 15 * i, text_anchor="middle",
            fill="#666666" if is_name else "#111111", font_size=10 if is_name else 12,
        )  # fmt: skip


def _arrows(body: ElementTree.Element, drawn: Drawing, placed: Placed) -> None:
    for points in placed.paths:
        path = _curve(points) if placed.curved else _rounded(points)
        _child(body, "path", d=path, fill="none", stroke="#555555", marker_end=f"url(#{_MARK})")


def _curve(points: tuple[Point, ...]) -> str:
    first, *rest = (f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{first} C{' '.join(rest)}"


def _rounded(points: tuple[Point, ...]) -> str:
    """Through the points, leaving and arriving vertically, with bends between layers."""
    parts = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if abs(x1 - x0) < 0.5:
            parts.append(f"L{x1:.1f} {y1:.1f}")
        else:
            bend = max(_BEND, (y1 - y0) / 2)
            parts.append(f"C{x0:.1f} {y0 + bend:.1f} {x1:.1f} {y1 - bend:.1f} {x1:.1f} {y1:.1f}")
    return " ".join(parts)


def _labels(body: ElementTree.Element, drawn: Drawing, placed: Placed) -> None:
    """The shape of a value once, below the box that makes it; of several values of a box each in a row of its own."""
    seen: dict[tuple[int, str], None] = {}
    rows: dict[int, int] = {}
    for arrow, points in zip(drawn.arrows, placed.paths, strict=True):
        if not arrow.label or (arrow.source, arrow.value) in seen:
            continue
        seen[arrow.source, arrow.value] = None
        row = rows.get(arrow.source, 0)
        rows[arrow.source] = row + 1
        if row and any(a.source == arrow.source and a.label != arrow.label for a in drawn.arrows):
            x, y = points[-1][0], points[-1][1] - 18
        elif row:
            continue
        else:
            x, y = points[0][0], points[0][1] + 13
        # A white outline below the text: not every viewer knows paint-order.
        at = {"x": x + 5, "y": y, "font_size": 10}
        _child(body, "text", arrow.label, **at, fill="#ffffff", stroke="#ffffff", stroke_width=3)
        _child(body, "text", arrow.label, **at, fill="#1f4e79")

"""Where boxes and arrows go: Graphviz's dot if it is installed, else grandalf. Both draw in layers (Sugiyama, Tagawa and
Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981).

Neither is told a name: they get numbers and sizes only.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
import subprocess
import sys
from typing import Any

from clconv.draw.boxes import Arrow, Box, Drawing
from clconv.errors import ConfigError

Point = tuple[float, float]
_GAP, _BETWEEN = 34.0, 30.0
_SECONDS = 60
_MISSING = "drawing a graph needs Graphviz's dot, or grandalf: pip install 'clconv[viz]'"


@dataclasses.dataclass(frozen=True)
class Placed:
    """In pixels from the upper left corner. centres: of the boxes. paths: of the arrows, from box to box; curved: whether
    their points are those of cubic Bézier curves."""

    width: float
    height: float
    centres: tuple[Point, ...]
    paths: tuple[tuple[Point, ...], ...]
    curved: bool


def layout(drawn: Drawing) -> Placed:
    """Raises ConfigError if neither dot nor grandalf is there."""
    program = shutil.which("dot")
    if program is not None:
        placed = _by_dot(program, drawn)
        if placed is not None:
            return placed
    return _by_grandalf(drawn)


def check_installed() -> None:
    """Raises ConfigError if neither dot nor grandalf is there."""
    if shutil.which("dot") is None and importlib.util.find_spec("grandalf") is None:
        raise ConfigError(_MISSING)


def dot_text(drawn: Drawing) -> str:
    """The graph in Graphviz's language: boxes by number, sizes in inches of 72 pixels."""
    lines = [f"digraph {{ rankdir=TB; ranksep={_GAP / 72}; nodesep={_BETWEEN / 72};"]
    for i, box in enumerate(drawn.boxes):
        lines.append(
            f'n{i} [shape=box fixedsize=true label="" width={box.width / 72:.4f} height={box.height / 72:.4f}];'
        )
    lines += [f"n{a.source} -> n{a.target};" for a in drawn.arrows]
    return "\n".join([*lines, "}"])


def _by_dot(program: str, drawn: Drawing) -> Placed | None:
    """None if dot fails or takes longer than a minute."""
    try:
        text = subprocess.run(
            [program, "-Tplain"], input=dot_text(drawn), capture_output=True, text=True,
            timeout=_SECONDS, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return from_plain(text, drawn)


def from_plain(text: str, drawn: Drawing) -> Placed:
    """What dot -Tplain prints: inches, upwards from the lower left corner."""
    rows = [line.split() for line in text.splitlines()]
    width, height = (float(v) for v in next(r for r in rows if r[0] == "graph")[2:4])

    def point(x: str, y: str) -> Point:
        return float(x) * 72, (height - float(y)) * 72

    centres = {r[1]: point(r[2], r[3]) for r in rows if r[0] == "node"}
    paths: dict[tuple[str, str], list[tuple[Point, ...]]] = {}
    for row in (r for r in rows if r[0] == "edge"):
        count = int(row[3])
        numbers = row[4 : 4 + 2 * count]
        points = tuple(point(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True))
        paths.setdefault((row[1], row[2]), []).append(points)
    return Placed(
        width * 72,
        height * 72,
        tuple(centres[f"n{i}"] for i in range(len(drawn.boxes))),
        tuple(paths[f"n{a.source}", f"n{a.target}"].pop(0) for a in drawn.arrows),
        curved=True,
    )


class _View:
    """What grandalf knows of a box or an arrow."""

    def __init__(self, width: float = 0, height: float = 0) -> None:
        self.w, self.h = width, height
        self.xy: Point = (0.0, 0.0)
        self.points: tuple[Point, ...] = ()

    def setpath(self, points: list[Point]) -> None:
        self.points = tuple(points)


def _by_grandalf(drawn: Drawing) -> Placed:
    try:
        from grandalf.graphs import Edge, Vertex
        from grandalf.graphs import Graph as Graphs
        from grandalf.layouts import SugiyamaLayout
    except ImportError:
        raise ConfigError(_MISSING) from None
    vertices = [Vertex(i) for i in range(len(drawn.boxes))]
    for vertex, box in zip(vertices, drawn.boxes, strict=True):
        vertex.view = _View(box.width, box.height)
    edges = {
        (a.source, a.target): Edge(vertices[a.source], vertices[a.target]) for a in drawn.arrows
    }
    for edge in edges.values():
        edge.view = _View()
    left = 0.0
    limit = sys.getrecursionlimit()
    try:
        # grandalf descends a layer a call
        sys.setrecursionlimit(max(limit, 50 * len(vertices) + 1000))
        for part in Graphs(vertices, list(edges.values())).C:
            left = _place_part(SugiyamaLayout(part), part, left)
    finally:
        sys.setrecursionlimit(limit)
    centres = tuple(v.view.xy for v in vertices)
    paths = tuple(
        _path(edges[a.source, a.target].view, a, centres, drawn.boxes) for a in drawn.arrows
    )
    bottom = max(y + b.height / 2 for (_, y), b in zip(centres, drawn.boxes, strict=True))
    return Placed(left, bottom, centres, paths, curved=False)


def _place_part(arranged: Any, part: Any, left: float) -> float:
    """Places one connected part to the right of `left`; returns where the next may begin."""
    arranged.xspace, arranged.yspace = _BETWEEN, _GAP
    ordered = part.sV
    roots = [v for v in ordered if not v.e_in()]
    arranged.init_all(roots=roots)
    arranged.draw(8)
    views = [v.view for v in ordered]
    points = [p for e in part.sE for p in e.view.points[1:-1]]
    first = min([v.xy[0] - v.w / 2 for v in views] + [x for x, _ in points])
    top = min(v.xy[1] - v.h / 2 for v in views)
    for view in views:
        view.xy = (view.xy[0] - first + left, view.xy[1] - top)
    for edge in part.sE:
        edge.view.points = tuple((x - first + left, y - top) for x, y in edge.view.points)
    right = max([v.xy[0] + v.w / 2 for v in views] + [x - first + left for x, _ in points])
    return float(right + _BETWEEN)


def _path(
    view: _View, arrow: Arrow, centres: tuple[Point, ...], boxes: tuple[Box, ...]
) -> tuple[Point, ...]:
    """From the lower edge of a box to the upper edge of another, by way of what grandalf chose between."""
    (x0, y0), (x1, y1) = centres[arrow.source], centres[arrow.target]
    start = (x0, y0 + boxes[arrow.source].height / 2)
    end = (x1, y1 - boxes[arrow.target].height / 2)
    return (start, *view.points[1:-1], end)

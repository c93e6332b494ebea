"""A graph in a line, and as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.parameters import parameter_names

_MOST_ROWS = 400  # of a table in a notebook

# What draws a graph as SVG for notebooks, if there is anything: whoever can do it appends itself.
DRAWINGS: list[Callable[[Graph], str]] = []


def values_line(specs: Mapping[str, TensorSpec | None]) -> str:
    """`x float32[1x3x8x8], y float32[?]`."""
    return ", ".join(f"{n} {'?' if s is None else s}" for n, s in specs.items()) or "nothing"


def graph_line(graph: Graph) -> str:
    """`'net': x float32[1x3x8x8] -> y float32[1x10]; 7 nodes, 1,234 parameters`."""
    parameters = sum(graph.constants[n].spec.size for n in parameter_names(graph))
    plural = "" if len(graph.nodes) == 1 else "s"
    return (
        f"'{graph.name}': {values_line(graph.input_specs())} -> {values_line(graph.output_specs())}; "
        f"{len(graph.nodes)} node{plural}, {parameters:,} parameters"
    )


def graph_html(
    graph: Graph, about: str = "", outputs: Mapping[str, TensorSpec | None] | None = None
) -> str:
    """Inputs and outputs as a table, the nodes as one that opens, and the drawing where there is one.

    about: what stands above, by default the graph's line. outputs: where more is known of them than the graph says.
    """
    parts = [f"<p>{_escaped(about or graph_line(graph))}</p>"]
    values: list[tuple[str, str, object]] = [
        ("input", n, s) for n, s in graph.input_specs().items()
    ]
    values += [("output", n, s) for n, s in (outputs or graph.output_specs()).items()]
    parts.append(html_table(("", "name", "type and shape"), values))
    if DRAWINGS:
        parts.append(f"<div>{DRAWINGS[-1](graph)}</div>")
    rows = [
        (node.name, "+".join((node.op, *(s.op for s in node.epilogue))), _made(graph, node.outputs))
        for node in graph.nodes[:_MOST_ROWS]
    ]
    if left := len(graph.nodes) - len(rows):
        rows.append((f"and {left} more", "", ""))
    nodes = html_table(("node", "operator", "makes"), rows)
    parts.append(f"<details><summary>{len(graph.nodes)} nodes</summary>{nodes}</details>")
    return "<div>" + "".join(parts) + "</div>"


def html_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of text."""
    head = "".join(f"<th>{_escaped(title)}</th>" for title in titles)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{_escaped(c)}</td>' for c in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _made(graph: Graph, names: Iterable[str]) -> str:
    found = ((n, graph.specs.get(n)) for n in names if n)
    return ", ".join(n if spec is None else f"{n} {spec}" for n, spec in found)


def _escaped(text: object) -> str:
    from html import escape  # only now: it loads a table of 2,000 names

    return escape("?" if text is None else str(text))

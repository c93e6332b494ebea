"""A model's layers as a table, and what is inside its control flow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clconv.cli.printing import Column, Results, Table
from clconv.cli.printing.table import in_thousands
from clconv.graph.ir import Graph, Node
from clconv.graph.specialise.open_sizes import OpenSizes
from clconv.graph.summary import LayerSummary, summary, totals


def show_layers(out: Results, made: OpenSizes) -> None:
    known, cut = made.graph, made.specialised.cut
    rows = summary(known)
    inputs = _values(known, made, known.inputs)
    outputs = _values(known, made, known.outputs)
    parameters, multiply_adds = totals(rows)
    out.line(f"{known.name}: {described(inputs)}", model=known.name, inputs=inputs)
    out.table("layers", _layer_table(rows, made))
    at = ", ".join(f"{name}={size}" for name, size in made.example.items())
    out.line(
        f"{len(rows)} layers, {parameters:,} parameters, {multiply_adds:,} multiply-adds"
        f"{f' at {at}' if at else ''}",
        parameters=parameters, multiply_adds=multiply_adds, at=made.example,
    )  # fmt: skip
    out.line(f"outputs: {described(outputs)}", outputs=outputs)
    if cut:
        names = [n.name for n in cut.host_nodes]
        out.line(
            f"then, once values are known (host: {', '.join(names) or '-'}), "
            f"{len(cut.rest.nodes)} more layers whose sizes depend on them",
            host=names, later_layers=len(cut.rest.nodes),
        )  # fmt: skip
        show_bodies(out, (*cut.host_nodes, *cut.rest.nodes))


def _values(graph: Graph, made: OpenSizes, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Inputs or outputs whose shapes are known, for the document."""
    return {
        name: {"dtype": graph.spec(name).dtype.value, "shape": made.shapes[f"value {name}"]}
        for name in names
        if f"value {name}" in made.shapes
    }


def described(values: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{name} {value['dtype']}[{times(value['shape'])}]" for name, value in values.items()
    )


def show_bodies(out: Results, nodes: Iterable[Node], depth: int = 1) -> None:
    """What is inside the If, Loop and Scan nodes that the host drives; others are among the layers."""
    for node in nodes:
        for name, body in node.attrs.items():
            if not isinstance(body, Graph):
                continue
            pad = "  " * depth
            out.line(f"{pad}{name} of {node.name} ({node.op}): {len(body.nodes)} layers")
            for inner in body.nodes:
                shape = " ".join(
                    times(body.constants[n].spec.shape)
                    for n in inner.inputs
                    if n in body.constants and body.constants[n].spec.rank > 1
                )
                tail = f", weights {shape}" if shape else ""
                out.line(f"{pad}  {inner.name} ({inner.op}){tail}")
            show_bodies(out, body.nodes, depth + 1)


def times(sizes: Iterable[Any]) -> str:
    return "x".join(map(str, sizes))


def _layer_table(rows: tuple[LayerSummary, ...], made: OpenSizes) -> Table:
    table = Table(
        Column("layer", kind="name"),
        Column("operator"),
        Column("volume", kind="number", shown=lambda sizes: times(sizes) or "1"),
        Column("filters", text_only=True, kind="number"),
        Column("filters", hidden=True),
        Column("groups", hidden=True),
        Column("window", kind="number"),
        Column("stride", kind="number", short=_one_for_all),
        Column("padding", text_only=True, kind="number", narrow="pad"),
        Column("padding", hidden=True),
        Column("padding_mode", hidden=True),
        Column("parameters", kind="number", shown=_unless_zero, short=_short, narrow="params"),
        Column(
            "multiply_adds", "multiply-adds", "number", _unless_zero, _short, narrow="mult-\nadds"
        ),
    )
    for row in rows:
        groups = f" /{row.groups}" if row.groups != 1 else ""
        table.add(
            row.name,
            "+".join((row.op, *row.epilogue)),
            made.shapes[row.name][1:],
            None if row.filters is None else f"{row.filters}{groups}",
            row.filters,
            row.groups,
            row.window,
            row.stride,
            _padding(row),
            row.padding,
            row.padding_mode,
            row.parameters,
            row.multiply_adds,
        )
    return table


def _unless_zero(number: int) -> str:
    return f"{number:,}" if number else ""


def _short(number: int) -> str:
    return in_thousands(number) if number else ""


def _one_for_all(sizes: tuple[int, ...]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else times(sizes)


def _padding(row: LayerSummary) -> str:
    """One number if all sides agree, else begins and ends; the mode where it is not zeros."""
    if not any(row.padding):
        return ""
    mode = "" if row.padding_mode == "constant" else f" {row.padding_mode}"
    if len(set(row.padding)) == 1:
        return f"{row.padding[0]}{mode}"
    half = len(row.padding) // 2
    return (
        f"{','.join(map(str, row.padding[:half]))}:{','.join(map(str, row.padding[half:]))}{mode}"
    )

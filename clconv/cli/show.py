"""`clconv show`: a model as a table, and the plan that a device would run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clconv.cli.console import Device, Model, Precision, Shapes, Size
from clconv.cli.numbers import parse_size
from clconv.cli.printing import Column, Json, Results, Table, results
from clconv.cli.printing.table import in_thousands
from clconv.cli.shapes import settle_shapes
from clconv.cli.visualize.graph import check_drawable, draw_into
from clconv.errors import ConfigError
from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.specialise.open_sizes import OpenSizes, named_inputs, with_open_sizes
from clconv.graph.summary import LayerSummary, summary, totals

if TYPE_CHECKING:
    from clconv.planning.plan import Plan


def show(
    model: Model,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Show variants, layouts and memory on a device.", show_default=False
        ),
    ] = False,
    fused: Annotated[
        bool,
        typer.Option(
            "--fused", help="Show the layers after the passes have joined them.", show_default=False
        ),
    ] = False,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", help="Draw the graph into this SVG file.", show_default=False),
    ] = None,
    device: Device = None,
    precision: Precision = None,
    size: Size = None,
    shapes: Shapes = None,
    as_json: Json = False,
) -> None:
    """Show a model's layers: volume, filters, window, stride, padding, parameters, multiply-adds.

    Sizes that the model leaves open stay names, N, H and W, unless --size or --shape gives them.
    """
    from clconv import config
    from clconv.api import read_model
    from clconv.runtime.device import choose_device

    if plan and fused:
        raise ConfigError("--fused and --plan: choose one; a plan's layers are always fused")
    for option, value in (("--device", device), ("--precision", precision)):
        if value is not None and not plan:
            raise ConfigError(f"{option} matters to plans only: add --plan, or leave it out")
    if svg is not None:
        check_drawable(svg, plan)
    wanted = parse_size(size)
    if plan:
        choose_device(device)
        config.chosen_precision(precision)
    graph = read_model(model)
    with results(as_json) as out:
        known = None
        if not (plan or svg or wanted or shapes):
            known = with_open_sizes(graph, named_inputs(graph.input_specs()), fused)
        if known is None:
            inputs = graph.input_specs()
            settled = settle_shapes(inputs, wanted, shapes or [])
            specs = {n: TensorSpec(s, inputs[n].dtype) for n, s in settled.items()}
            if svg is not None:
                draw_into(svg, graph, specs, fused)
                out.value("svg", str(svg))
                return
            if plan:
                _show_plan(out, graph, specs, device, precision)
                return
            known = with_open_sizes(graph, settled, fused)
        assert known is not None  # without open sizes
        _show_layers(out, known)


def _show_layers(out: Results, made: OpenSizes) -> None:
    known, cut = made.graph, made.specialised.cut
    rows = summary(known)
    inputs = _values(known, made, known.inputs)
    outputs = _values(known, made, known.outputs)
    parameters, multiply_adds = totals(rows)
    out.line(f"{known.name}: {_described(inputs)}", model=known.name, inputs=inputs)
    out.table("layers", _layer_table(rows, made))
    at = ", ".join(f"{name}={size}" for name, size in made.example.items())
    out.line(
        f"{len(rows)} layers, {parameters:,} parameters, {multiply_adds:,} multiply-adds"
        f"{f' at {at}' if at else ''}",
        parameters=parameters, multiply_adds=multiply_adds, at=made.example,
    )  # fmt: skip
    out.line(f"outputs: {_described(outputs)}", outputs=outputs)
    if cut:
        names = [n.name for n in cut.host_nodes]
        out.line(
            f"then, once values are known (host: {', '.join(names) or '-'}), "
            f"{len(cut.rest.nodes)} more layers whose sizes depend on them",
            host=names, later_layers=len(cut.rest.nodes),
        )  # fmt: skip
        _show_bodies(out, (*cut.host_nodes, *cut.rest.nodes))


def _values(graph: Graph, made: OpenSizes, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Inputs or outputs whose shapes are known, for the document."""
    return {
        name: {"dtype": graph.spec(name).dtype.value, "shape": made.shapes[f"value {name}"]}
        for name in names
        if f"value {name}" in made.shapes
    }


def _described(values: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{name} {value['dtype']}[{_times(value['shape'])}]" for name, value in values.items()
    )


def _show_bodies(out: Results, nodes: Iterable[Node], depth: int = 1) -> None:
    """What is inside the If, Loop and Scan nodes that the host drives; others are among the layers."""
    for node in nodes:
        for name, body in node.attrs.items():
            if not isinstance(body, Graph):
                continue
            pad = "  " * depth
            out.line(f"{pad}{name} of {node.name} ({node.op}): {len(body.nodes)} layers")
            for inner in body.nodes:
                shape = " ".join(
                    _times(body.constants[n].spec.shape)
                    for n in inner.inputs
                    if n in body.constants and body.constants[n].spec.rank > 1
                )
                tail = f", weights {shape}" if shape else ""
                out.line(f"{pad}  {inner.name} ({inner.op}){tail}")
            _show_bodies(out, body.nodes, depth + 1)


def _times(sizes: Iterable[Any]) -> str:
    return "x".join(map(str, sizes))


def _layer_table(rows: tuple[LayerSummary, ...], made: OpenSizes) -> Table:
    table = Table(
        Column("layer", kind="name"),
        Column("operator"),
        Column("volume", kind="number", shown=lambda sizes: _times(sizes) or "1"),
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
    return str(sizes[0]) if len(set(sizes)) == 1 else _times(sizes)


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


def _counted(number: int, what: str) -> str:
    plural = "es" if what.endswith("ch") else "s"
    return f"{number} {what}{plural if number != 1 else ''}"


def _show_plan(
    out: Results,
    graph: Graph,
    specs: dict[str, TensorSpec],
    device: str | None,
    precision: str | None,
) -> None:
    from clconv.device.options import PlanOptions
    from clconv.graph.passes import run_passes
    from clconv.graph.passes.half import float32_nodes
    from clconv.planning.joining import may_join
    from clconv.probes.probed import planner_for
    from clconv.runtime.device import choose_device

    planner = planner_for(graph, choose_device(device), PlanOptions.from_config(precision))
    made = planner.plan(run_passes(graph), specs)
    inputs = {n: {"dtype": s.dtype.value, "shape": s.shape} for n, s in specs.items()}
    out.line(
        f"{graph.name} on {made.device}: {_described(inputs)}",
        model=graph.name, device=str(made.device), inputs=inputs,
    )  # fmt: skip
    if made.batch_split is not None:
        out.line(str(made.batch_split), batch_split=str(made.batch_split))
    out.table("layers", _plan_table(made))
    live = made.live_bytes
    ratio = f" ({made.memory.total / live:.2f} times)" if live else ""
    out.line(
        f"{_counted(len(made.calls), 'kernel')} in {_counted(len(made.launches), 'launch')}; values need "
        f"{made.memory.total:,} bytes in {len(made.memory.arenas)} buffers, largest live set {live:,}{ratio}",
        kernels=len(made.calls), launches=len(made.launches), bytes=made.memory.total,
        buffers=len(made.memory.arenas), live_bytes=live,
    )  # fmt: skip
    if may_join(made.device, planner.options) and not planner.joins:
        out.line("launches are not joined: quarantined by clconv doctor", joins=False)
    widened = list(float32_nodes(made.graph))
    if widened:
        out.line(
            f"computed in float32 between casts from and to float16: {', '.join(widened)}",
            in_float32=widened,
        )
    if made.cut:
        names = [n.name for n in made.cut.host_nodes]
        later = len(made.cut.rest.nodes)
        out.line(
            f"then on the host: {', '.join(names) or '-'}; {later} layers are planned after it",
            host=names, later_layers=later,
        )  # fmt: skip
        _show_bodies(out, (*made.cut.host_nodes, *made.cut.rest.nodes))


def _usual_type(specs: list[str]) -> str:
    """Without the type that most values have: 1x32x112x112:c16."""
    return " ".join(re.sub(r"^float32\[(.*)\]", r"\1", spec) for spec in specs)


def _plan_table(made: Plan) -> Table:
    """A row for each node of the planned graph and each conversion between layouts."""
    table = Table(
        Column("layer", kind="name"),
        Column("operator"),
        Column("variant"),
        Column("chosen_by"),
        Column("reads", kind="long", shown=lambda shapes: " ".join(map(_times, shapes))),
        Column("writes", kind="long", shown=" ".join, short=_usual_type),
        Column("kernels", kind="number"),
        Column("work_items", "work-items", "number", lambda sizes: " + ".join(map(_times, sizes))),
    )
    by_node: dict[str, list[Any]] = {}
    for call in made.calls:
        by_node.setdefault(call.node, []).append(call)
    nodes = {node.name: node for node in made.graph.nodes}
    for name in dict.fromkeys([*(c.node for c in made.calls), *nodes]):
        calls = by_node.get(name, [])
        items = [call.global_size for call in calls]
        if name not in nodes:
            table.add(name, "(conversion)", "", "", [], [], len(calls), items)
            continue
        node, choice = nodes[name], made.lowered.choices[name]
        fused = "+".join((node.op, *(step.op for step in node.epilogue)))
        reads = [made.graph.spec(n) for n in node.inputs if n and n not in made.graph.constants]
        writes = [made.lowered.specs[n] for n in node.outputs if n]
        table.add(
            name, fused, choice.name, choice.source, [s.shape for s in reads],
            [str(s) for s in writes], len(calls), items,
        )  # fmt: skip
    return table

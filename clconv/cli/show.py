"""`clconv show`: a model as a table, and the plan that a device would run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from clconv.cli.console import Device, Model, Precision, Shapes, Size, stdout
from clconv.cli.numbers import parse_size
from clconv.cli.shapes import settle_shapes
from clconv.cli.visualize.graph import check_drawable, draw_into
from clconv.errors import ConfigError
from clconv.graph.ir import Graph, Node, TensorSpec
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
) -> None:
    """Show a model's layers: volume, filters, window, stride, padding, parameters, multiply-adds."""
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
    inputs = graph.input_specs()
    settled = settle_shapes(inputs, wanted, shapes or [])
    specs = {n: TensorSpec(s, inputs[n].dtype) for n, s in settled.items()}
    if svg is not None:
        draw_into(svg, graph, specs, fused)
    elif plan:
        _show_plan(graph, specs, device, precision)
    else:
        _show_layers(graph, specs, fused)


def _show_layers(graph: Graph, specs: dict[str, TensorSpec], fused: bool) -> None:
    from clconv.graph.passes import run_passes
    from clconv.graph.specialise.specialise import specialise

    specialised = specialise(graph, specs)
    known = run_passes(specialised.graph) if fused else specialised.graph
    rows = summary(known)
    console = stdout()
    console.print(f"{graph.name}: {_described(specs)}")
    console.print(_layer_table(rows))
    parameters, multiply_adds = totals(rows)
    outputs = {n: known.spec(n) for n in graph.outputs if n in known.specs or n in known.constants}
    console.print(f"{len(rows)} layers, {parameters:,} parameters, {multiply_adds:,} multiply-adds")
    console.print(f"outputs: {_described(outputs)}")
    if specialised.cut:
        names = ", ".join(n.name for n in specialised.cut.host_nodes) or "-"
        console.print(
            f"then, once values are known (host: {names}), "
            f"{len(specialised.cut.rest.nodes)} more layers whose sizes depend on them"
        )
        _show_bodies((*specialised.cut.host_nodes, *specialised.cut.rest.nodes))


def _show_bodies(nodes: Iterable[Node], depth: int = 1) -> None:
    """What is inside the If, Loop and Scan nodes that the host drives; others are among the layers."""
    console = stdout()
    for node in nodes:
        for name, body in node.attrs.items():
            if not isinstance(body, Graph):
                continue
            pad = "  " * depth
            console.print(f"{pad}{name} of {node.name} ({node.op}): {len(body.nodes)} layers")
            for inner in body.nodes:
                shape = " ".join(
                    _times(body.constants[n].spec.shape)
                    for n in inner.inputs
                    if n in body.constants and body.constants[n].spec.rank > 1
                )
                tail = f", weights {shape}" if shape else ""
                console.print(f"{pad}  {inner.name} ({inner.op}){tail}")
            _show_bodies(body.nodes, depth + 1)


def _described(specs: dict[str, TensorSpec]) -> str:
    return ", ".join(f"{name} {spec}" for name, spec in specs.items())


def _times(sizes: tuple[Any, ...]) -> str:
    return "x".join(map(str, sizes))


def _layer_table(rows: tuple[LayerSummary, ...]) -> Table:
    table = Table("layer", "operator", "volume")
    for title in ("filters", "window", "stride", "padding"):
        table.add_column(title, justify="right")
    for title in ("parameters", "multiply-adds"):
        table.add_column(title, justify="right")
    for row in rows:
        groups = f" /{row.groups}" if row.groups != 1 else ""
        table.add_row(
            row.name,
            "+".join((row.op, *row.epilogue)),
            _times(row.volume) or "1",
            "" if row.filters is None else f"{row.filters}{groups}",
            _times(row.window),
            _times(row.stride),
            _padding(row),
            f"{row.parameters:,}" if row.parameters else "",
            f"{row.multiply_adds:,}" if row.multiply_adds else "",
        )
    return table


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
    graph: Graph, specs: dict[str, TensorSpec], device: str | None, precision: str | None
) -> None:
    from clconv.device.options import PlanOptions
    from clconv.graph.passes import run_passes
    from clconv.graph.passes.half import float32_nodes
    from clconv.planning.joining import may_join
    from clconv.probes.probed import planner_for
    from clconv.runtime.device import choose_device

    planner = planner_for(graph, choose_device(device), PlanOptions.from_config(precision))
    made = planner.plan(run_passes(graph), specs)
    console = stdout()
    console.print(f"{graph.name} on {made.device}: {_described(specs)}")
    if made.batch_split is not None:
        console.print(str(made.batch_split))
    console.print(_plan_table(made))
    live = made.live_bytes
    ratio = f" ({made.memory.total / live:.2f} times)" if live else ""
    console.print(
        f"{_counted(len(made.calls), 'kernel')} in {_counted(len(made.launches), 'launch')}; values need {made.memory.total:,} bytes in "
        f"{len(made.memory.arenas)} buffers, largest live set {live:,}{ratio}"
    )
    if may_join(made.device, planner.options) and not planner.joins:
        console.print("launches are not joined: quarantined by clconv doctor")
    widened = float32_nodes(made.graph)
    if widened:
        console.print(
            f"computed in float32 between casts from and to float16: {', '.join(widened)}"
        )
    if made.cut:
        names = ", ".join(n.name for n in made.cut.host_nodes) or "-"
        console.print(
            f"then on the host: {names}; {len(made.cut.rest.nodes)} layers are planned after it"
        )
        _show_bodies((*made.cut.host_nodes, *made.cut.rest.nodes))


def _plan_table(made: Plan) -> Table:
    """A row for each node of the planned graph and each conversion between layouts."""
    table = Table("layer", "operator", "variant", "chosen by", "reads", "writes")
    for title in ("kernels", "work-items"):
        table.add_column(title, justify="right")
    by_node: dict[str, list[Any]] = {}
    for call in made.calls:
        by_node.setdefault(call.node, []).append(call)
    nodes = {node.name: node for node in made.graph.nodes}
    shown = dict.fromkeys([*(c.node for c in made.calls), *nodes])
    for name in shown:
        calls = by_node.get(name, [])
        items = " + ".join(_times(call.global_size) for call in calls)
        if name not in nodes:
            table.add_row(name, "(conversion)", "", "", "", "", str(len(calls)), items)
            continue
        node, choice = nodes[name], made.lowered.choices[name]
        fused = "+".join((node.op, *(step.op for step in node.epilogue)))
        reads = [made.graph.spec(n) for n in node.inputs if n and n not in made.graph.constants]
        writes = [made.lowered.specs[n] for n in node.outputs if n]
        table.add_row(
            name, fused, choice.name, choice.source,
            " ".join(_times(s.shape) for s in reads), " ".join(str(s) for s in writes),
            str(len(calls)), items,
        )  # fmt: skip
    return table

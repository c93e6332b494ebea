"""`clconv show`: a model as a table, and the plan that a device would run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clconv.cli.console import Device, Model, Precision, Shapes, Size
from clconv.cli.numbers import parse_size
from clconv.cli.printing import Json, results
from clconv.cli.shapes import settle_shapes
from clconv.cli.showing.layers import show_layers
from clconv.cli.showing.plan import show_plan
from clconv.cli.showing.step import show_step
from clconv.cli.visualize.graph import check_drawable, draw_into
from clconv.errors import ConfigError
from clconv.graph.ir import TensorSpec
from clconv.graph.specialise.open_sizes import at_sizes, named_inputs, with_open_sizes


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
    train: Annotated[
        int | None,
        typer.Option(
            "--train",
            metavar="BATCH",
            help="With --plan: a step of training on so many examples, and what recompute= saves.",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            "--loss",
            help="Of --train: cross_entropy or another name, or an output.",
            show_default=False,
        ),
    ] = None,
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

    _check_together(plan, fused, {"--device": device, "--precision": precision, "--train": train})
    if train is not None and (size or shapes):
        raise ConfigError("--train BATCH says the batch itself: leave out --size and --shape")
    if loss is not None and train is None:
        raise ConfigError("--loss matters to a step of training only: add --plan --train BATCH")
    if svg is not None:
        check_drawable(svg, plan)
    wanted = parse_size(size)
    if plan:
        choose_device(device)
        config.chosen_precision(precision)
    graph = read_model(model)
    with results(as_json) as out:
        if train is not None:
            show_step(out, graph, train, loss or "cross_entropy", device)
            return
        known = None
        if not (plan or svg or wanted or shapes):
            known = with_open_sizes(graph, named_inputs(graph.input_specs()), fused)
        if known is not None:
            show_layers(out, known)
            return
        inputs = graph.input_specs()
        settled = settle_shapes(inputs, wanted, shapes or [])
        specs = {n: TensorSpec(s, inputs[n].dtype) for n, s in settled.items()}
        if svg is not None:
            draw_into(svg, graph, specs, fused)
            out.value("svg", str(svg))
        elif plan:
            show_plan(out, graph, specs, device, precision)
        else:
            show_layers(out, at_sizes(graph, settled, fused))


def _check_together(plan: bool, fused: bool, of_plans: dict[str, Any]) -> None:
    if plan and fused:
        raise ConfigError("--fused and --plan: choose one; a plan's layers are always fused")
    for option, value in of_plans.items():
        if value is not None and not plan:
            raise ConfigError(f"{option} matters to plans only: add --plan, or leave it out")

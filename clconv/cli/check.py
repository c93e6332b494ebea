"""`clconv check`: every layer on the device against the NumPy reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from clconv import config
from clconv.cli.console import Device, Model, Precision, Shapes, Size
from clconv.cli.feeds import PictureOptions, check_feeds, random_feeds, read_feeds, separate
from clconv.cli.numbers import parse_size
from clconv.cli.pixels import is_classifier
from clconv.cli.printing import Column, Json, Table, results
from clconv.cli.progress import steps
from clconv.cli.shapes import settle_shapes
from clconv.errors import ConfigError
from clconv.graph.ir import Graph, Node, TensorSpec

if TYPE_CHECKING:
    from clconv.session.session import Session


_Row = tuple[Node, str, float, str]  # node, output, error, variant


def check(
    model: Model,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            help="FILE or NAME=FILE: a picture, .npy or .npz. Default: seeded random values.",
            show_default=False,
        ),
    ] = None,
    device: Device = None,
    precision: Precision = None,
    size: Size = None,
    shapes: Shapes = None,
    gradients: Annotated[
        bool,
        typer.Option(
            "--gradients",
            help="Check the backward pass, too: gradients of all parameters, of a random projection of the outputs.",
            show_default=False,
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the summary only.", show_default=False)
    ] = False,
    as_json: Json = False,
) -> None:
    """Run every layer on the device and compare it with the reference; exit code 1 if one differs.

    Each layer is fed the device's results of the layers before it, so that errors do not accumulate. The error is the
    largest difference over the largest value of that layer's reference. The reference is slow.
    """
    from clconv.api import read_model
    from clconv.runtime.check import TOLERANCE
    from clconv.runtime.device import choose_device

    wanted = parse_size(size)
    if inputs and shapes:
        raise ConfigError("--shape is for random values; with --input, the files say their shapes")
    choose_device(device)
    config.chosen_precision(precision)
    with steps("loading the network") as shown:
        graph = read_model(model)
        feeds = _feeds(graph, inputs or [], wanted, shapes or [])
        if gradients and precision not in (None, "float32"):
            raise ConfigError(f"--gradients: training computes in float32, not {precision}")
        session, arrays = _prepared(graph, feeds, gradients, device, precision, shown.compiling)
    rows = _compared(session, arrays())
    different = [row for row in rows if not row[2] <= TOLERANCE]
    worst = max((error for _, _, error, _ in rows), default=0.0)
    with results(as_json) as out:
        if not quiet:
            out.table("layers", _table(rows, TOLERANCE))
        out.line(
            f"{len(rows)} layer outputs on {session.device}: {len(different)} differ by more than "
            f"{TOLERANCE:g}, largest error {worst:.3g}",
            device=str(session.device), compared=len(rows), different=len(different),
            tolerance=TOLERANCE, largest_error=worst,
        )  # fmt: skip
        if different:
            raise typer.Exit(1)


def _compared(session: Session, arrays: dict[str, np.ndarray]) -> list[_Row]:
    rows: list[_Row] = []
    with steps("comparing") as shown:

        def on_node(node: Node, output: str, error: float, variant: str) -> None:
            rows.append((node, output, error, variant))
            shown.say(f"comparing layers, {len(rows)} done: {node.name}")

        session.check(arrays, on_node)
    return rows


@dataclasses.dataclass(frozen=True)
class _Feeds:
    """The inputs' shapes, and their values once those are needed: random ones may be larger than a device allows."""

    shapes: dict[str, tuple[int, ...]]
    arrays: Callable[[], dict[str, np.ndarray]]


def _prepared(
    graph: Graph,
    feeds: _Feeds,
    gradients: bool,
    device: str | None,
    precision: str | None,
    progress: Callable[[int, int], None],
) -> tuple[Session, Callable[[], dict[str, np.ndarray]]]:
    """A session that is ready for the feeds, of the network or of its gradients, and what to feed it."""
    from clconv.api import load
    from clconv.runtime.device import choose_device
    from clconv.session.session import Session
    from clconv.training.projection import projected_gradients

    if not gradients:
        session = load(graph, device, precision=precision, progress=progress)
        session.prepare(feeds.shapes)
        return session, feeds.arrays
    specs = graph.input_specs()
    sizes = {n: TensorSpec(shape, specs[n].dtype) for n, shape in feeds.shapes.items()}
    backward, weights, more = projected_gradients(graph, sizes)
    chosen = choose_device(device)
    session = Session(backward, chosen, progress=progress, precision=precision, initial=weights)
    session.prepare({**feeds.shapes, **{n: a.shape for n, a in more.items()}})
    return session, lambda: {**feeds.arrays(), **more}


def _feeds(
    graph: Graph, inputs: Sequence[str], size: tuple[int, int] | None, shapes: Sequence[str]
) -> _Feeds:
    specs = graph.input_specs()
    if not inputs:
        settled = settle_shapes(specs, size, shapes)
        return _Feeds(settled, lambda: random_feeds(specs, settled))
    if len(separate(specs, inputs)) > 1:
        raise ConfigError(
            f"the model has one input, {len(inputs)} files are given: check one at a time"
        )
    outputs = {n: graph.metadata.get("output_specs", {}).get(n) for n in graph.outputs}
    options = PictureOptions(size=size, classifier=is_classifier(outputs))
    check_feeds(specs, inputs, options)
    arrays = read_feeds(specs, inputs, options).arrays
    return _Feeds({name: array.shape for name, array in arrays.items()}, lambda: arrays)


def _table(rows: list[_Row], tolerance: float) -> Table:
    table = Table(
        Column("layer", kind="name"),
        Column("operator"),
        Column("variant"),
        Column("output", kind="name"),
        Column("error", kind="number", shown=lambda error: f"{error:.2e}"),
        Column("differs", "", shown=lambda differs: "!" if differs else ""),
    )
    for node, output, error, variant in rows:
        fused = "".join(f"+{step.op}" for step in node.epilogue)
        differs = not error <= tolerance
        style = "bold red" if differs else None
        table.add(node.name, node.op + fused, variant, output, error, differs, style=style)
    return table

"""`clconv check`: every layer on the device against the NumPy reference."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from clconv.cli.console import Device, Model, Precision, Shapes, Size, stderr, stdout
from clconv.cli.feeds import PictureOptions, parse_size, random_feeds, read_feeds, settle_shapes
from clconv.cli.images import is_classifier
from clconv.cli.progress import steps
from clconv.graph.ir import Node


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
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the summary only.", show_default=False)
    ] = False,
) -> None:
    """Run every layer on the device and compare it with the reference; exit code 1 if one differs.

    Each layer is fed what the device computed before it, so that errors do not add up: the error is the
    largest difference over the largest value of that layer's reference. The reference is slow.
    """
    from clconv.api import load
    from clconv.runtime.check import TOLERANCE
    from clconv.runtime.inputs import conform

    with steps("loading the network") as shown:
        session = load(model, device, precision=precision, progress=shown.compiling)
    wanted = parse_size(size)
    if inputs:
        options = PictureOptions(size=wanted, classifier=is_classifier(session.outputs))
        feeds = read_feeds(session.inputs, inputs, options).arrays
    else:
        feeds = random_feeds(session.inputs, settle_shapes(session.inputs, wanted, shapes or []))
    rows: list[tuple[Node, str, float, str]] = []
    with stderr().status("comparing") as status:

        def told(node: Node, output: str, error: float, variant: str) -> None:
            rows.append((node, output, error, variant))
            status.update(escape(f"comparing: {node.name}"))

        session.check(conform(session.inputs, feeds), told)
    if not quiet:
        stdout().print(_table(rows, TOLERANCE))
    different = [row for row in rows if not row[2] <= TOLERANCE]
    worst = max((error for _, _, error, _ in rows), default=0.0)
    stdout().print(
        escape(
            f"{len(rows)} layer outputs on {session.device}: {len(different)} differ by more than "
            f"{TOLERANCE:g}, largest error {worst:.3g}"
        )
    )
    if different:
        raise typer.Exit(1)


def _table(rows: list[tuple[Node, str, float, str]], tolerance: float) -> Table:
    table = Table("layer", "operator", "variant", "output")
    table.add_column("error", justify="right")
    for node, output, error, variant in rows:
        fused = "".join(f"+{step.op}" for step in node.epilogue)
        marked = f"{error:.2e}" if np.isfinite(error) else str(error)
        style = None if error <= tolerance else "bold red"
        cells = (node.name, node.op + fused, variant, output)
        table.add_row(*map(escape, cells), marked if style is None else f"{marked} !", style=style)
    return table

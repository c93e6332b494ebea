"""`clconv profile`: which kernels and layers take the time, and what is outside of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from clconv.cli.console import Device, Model, Precision, Shapes, Size, is_given, remark
from clconv.cli.feeds import PictureOptions, check_feeds, read_feeds, separate
from clconv.cli.files import check_readable, check_writable
from clconv.cli.numbers import parse_size
from clconv.cli.printing import Json, Results, results
from clconv.cli.progress import steps
from clconv.cli.shapes import settle_shapes
from clconv.cli.timing.tables import parts_table, rows_table
from clconv.errors import ConfigError
from clconv.graph.ir import Graph
from clconv.session.random_feeds import random_feeds

if TYPE_CHECKING:
    from clconv.profiling.profile import Profile

_BY = ("layer", "kernel", "launch")
_MOST_RUNS = 100_000


_Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        help="A picture, .npy or .npz file, or NAME=FILE. Default: random values.",
        show_default=False,
    ),
]
_By = Annotated[
    str | None,
    typer.Option(
        "--by",
        help="One table only: layer, kernel, or launch, each of them on its own. Default: kernels, then layers.",
        show_default=False,
    ),
]
_Separate = Annotated[
    bool,
    typer.Option(
        "--separate",
        help="A launch for each kernel, also where runs join them into one.",
        show_default=False,
    ),
]
_Trace = Annotated[
    Path | None, typer.Option(help="Write the timeline for ui.perfetto.dev.", show_default=False)
]
_Html = Annotated[
    Path | None, typer.Option(help="Write a page with timeline and table.", show_default=False)
]
_MeasureCeilings = Annotated[
    bool,
    typer.Option("--measure-ceilings", help="Measure the device's peak again.", show_default=False),
]


def profile(
    context: typer.Context,
    model: Model,
    inputs: _Inputs = None,
    by: _By = None,
    top: Annotated[int, typer.Option(help="Rows of a table; 0: all.")] = 15,
    runs: Annotated[int, typer.Option(help="How many runs are timed.")] = 20,
    separate: _Separate = False,
    trace: _Trace = None,
    html: _Html = None,
    as_json: Json = False,
    measure_ceilings: _MeasureCeilings = False,
    device: Device = None,
    precision: Precision = None,
    size: Size = None,
    shapes: Shapes = None,
) -> None:
    """Show where a network's time goes: by kernel and by layer, outside of kernels, and in loading.

    Each time is a median over runs. Shares are of a run; "peak" is the part of what the device managed
    in small kernels of clconv's own, in arithmetic and through memory.
    """
    for name in ("by", "top"):
        if as_json and is_given(context, name):
            raise ConfigError(f"--{name} is for tables; --json prints all there is: leave one out")
    _check(by, top, runs)
    wanted = parse_size(size)
    if inputs and shapes:
        raise ConfigError("--shape is for random values; with --input, the files say their shapes")
    for path, option in ((trace, "--trace"), (html, "--html")):
        if path is not None:
            check_writable(path, option)
    check_readable(Path(model), "an ONNX file")
    from clconv.profiling import measure

    with steps("loading the network") as shown:
        found = measure.profile(
            model,
            lambda graph: _feeds(graph, inputs or [], wanted, shapes or []),
            device=device,
            precision=precision,
            runs=runs,
            joined=not separate,
            measure_ceilings=measure_ceilings,
            progress=shown.compiling,
            on_run=lambda done, total: shown.count("timing runs", done, total),
        )
    with results(as_json) as out:
        if as_json:
            for key, value in found.as_dict().items():
                out.value(key, value)
        else:
            _print(out, found, by, top)
    if trace is not None:
        found.write_trace(trace)
        remark(f"{trace}: open it in ui.perfetto.dev or chrome://tracing")
    if html is not None:
        found.write_html(html)
        remark(f"{html}: open it in a browser")


def _check(by: str | None, top: int, runs: int) -> None:
    if by is not None and by not in _BY:
        raise ConfigError(f"--by {by}: choose one of {', '.join(_BY)}")
    if top < 0:
        raise ConfigError(f"--top {top}: say a number of rows, or 0 for all")
    if not 1 <= runs <= _MOST_RUNS:
        raise ConfigError(f"--runs {runs}: say a number from 1 to {_MOST_RUNS}")


def _feeds(
    graph: Graph, files: Sequence[str], size: tuple[int, int] | None, shapes: Sequence[str]
) -> dict[str, np.ndarray]:
    specs = graph.input_specs()
    if not files:
        return random_feeds(specs, settle_shapes(specs, size, shapes))
    if len(separate(specs, files)) > 1:
        raise ConfigError(f"the model has one input, {len(files)} files are given: name one")
    options = PictureOptions(size=size)
    check_feeds(specs, files, options)
    return read_feeds(specs, files, options).arrays


def _print(out: Results, found: Profile, by: str | None, top: int) -> None:
    from clconv.profiling.profile import METHODS

    inputs = ", ".join(f"{name} {spec}" for name, spec in found.inputs.items())
    out.line(f"{found.model} on {found.device}: {inputs}, {found.precision}")
    out.line(
        f"{found.run * 1e3:.3f} ms a run, {found.profiled * 1e3:.3f} ms while profiled: "
        f"{METHODS[found.method]}"
    )
    out.line(f"peak: {found.ceilings}")
    tables = {
        "kernel": (found.kernels(), ("kernel", "variant")),
        "layer": (found.layers(), ("layer", "operator")),
        "launch": (found.slowest(), ("layer", "kernel")),
    }
    for name in ("kernel", "layer") if by is None else (by,):
        rows, names = tables[name]
        shown = rows[:top] if top else rows
        typer.echo("")
        out.table(name, rows_table(found, shown, names))
        left = sum(row.seconds for row in rows[len(shown) :])
        if left:
            out.line(f"and {len(rows) - len(shown)} more, {left * 1e3:.3f} ms together")
    parts = {"in kernels": found.in_kernels, **found.outside}
    for title, seconds in (("a run", parts), ("loading, to the first answer", found.load)):
        typer.echo("")
        out.table(title, parts_table(title, seconds, sum(seconds.values())))

"""`clconv run`: a model on pictures or on arrays."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clconv import config
from clconv.cli.classes import check_labels, class_count, read_labels, scores
from clconv.cli.console import Device, Model, Precision, Size, is_given, remark, stdout
from clconv.cli.feeds import Feeds, PictureOptions, check_feeds, read_feeds, separate
from clconv.cli.numbers import parse_mean, parse_size, parse_std, positive
from clconv.cli.pixels import Pixels, is_classifier
from clconv.cli.progress import steps
from clconv.cli.recipe import recipe_of
from clconv.cli.results import Target, print_classes, print_outputs
from clconv.errors import ConfigError
from clconv.graph.ir import TensorSpec

if TYPE_CHECKING:
    from clconv.graph.ir import Graph
    from clconv.session.session import Session


Inputs = Annotated[
    list[str],
    typer.Option(
        "--input",
        "-i",
        help="FILE or NAME=FILE: a picture, .npy, or .npz with arrays by input name. One per input; a model with "
        "one input takes any number.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Save to .npz, .npy or a picture.", show_default=False),
]
Labels = Annotated[
    Path | None,
    typer.Option(help="Names of the classes: one per line, or JSON.", show_default=False),
]
Top = Annotated[int, typer.Option(min=1, help="How many classes to print.")]
Mean = Annotated[
    str | None,
    typer.Option(
        help="Subtracted from scaled pixels: one number or one per channel, 0.5,0.5,0.5. "
        "Default: ImageNet's for its classifiers, else 0.",
        show_default=False,
    ),
]
Std = Annotated[
    str | None,
    typer.Option(
        help="Scaled pixels are divided by it after subtracting the mean. Default: as for --mean, else 1.",
        show_default=False,
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(help="Factor for pixels 0..255. Default: 1/255 for float inputs, else 1."),
]
PictureLayout = Annotated[str, typer.Option(help="Axes of picture inputs: auto, nchw or nhwc.")]


def run(
    context: typer.Context,
    model: Model,
    inputs: Inputs,
    device: Device = None,
    precision: Precision = None,
    output: Output = None,
    labels: Labels = None,
    top: Top = 5,
    size: Size = None,
    mean: Mean = None,
    std: Std = None,
    scale: Scale = None,
    layout: PictureLayout = "auto",
) -> None:
    """Run a model on a picture (its centre, resized to the input) or on arrays.

    A model with one input runs on each file; a model with several inputs takes one file for each.
    """
    from clconv.api import load, read_model
    from clconv.runtime.device import choose_device

    wanted = _OutputOptions(
        target=None if output is None else Target(output),
        names=None if labels is None else read_labels(labels),
        top=top,
        classes=labels is not None or is_given(context, "top"),
    )
    options = PictureOptions(
        positive(scale, "--scale"), parse_mean(mean), parse_std(std), layout.lower(), parse_size(size)
    )  # fmt: skip
    choose_device(device)
    config.chosen_precision(precision)
    started = time.perf_counter()
    with steps("loading the network") as shown:
        graph = read_model(model)
        specs = graph.input_specs()
        outputs = {n: graph.metadata.get("output_specs", {}).get(n) for n in graph.outputs}
        options, wanted = _as_the_file_says(graph, outputs, options, wanted)
        runs = separate(specs, inputs)
        if output is not None and len(runs) > 1:
            raise ConfigError(
                f"--output is for one result, {len(runs)} inputs are given: leave out all but one"
            )
        check_feeds(specs, inputs, options)
        first = read_feeds(specs, runs[0], options)
        wanted.check(outputs, first.pixels)
        session = load(graph, device, precision=precision, progress=shown.compiling)
    remark(f"device: {session.device}")
    for number, given in enumerate(runs):
        feeds = read_feeds(specs, given, options) if number else first
        if len(runs) > 1:
            stdout().print(f"{given[0]}:", soft_wrap=True)
        _run_one(session, feeds, wanted, started)
        started = time.perf_counter()


@dataclasses.dataclass(frozen=True)
class _OutputOptions:
    """What becomes of the outputs. classes: whether they must be those of a classifier."""

    target: Target | None
    names: list[str] | None
    top: int
    classes: bool

    def check(self, specs: Mapping[str, TensorSpec | None], pixels: Pixels | None = None) -> None:
        """Raises ConfigError or InputError if outputs with these specs cannot become that."""
        if self.target is not None:
            self.target.check(specs, pixels)
        if self.classes:
            count = class_count(specs)
            if count is not None and self.names is not None:
                check_labels(self.names, count)


def _as_the_file_says(
    graph: Graph,
    outputs: dict[str, TensorSpec | None],
    options: PictureOptions,
    wanted: _OutputOptions,
) -> tuple[PictureOptions, _OutputOptions]:
    """The options, where the user said nothing with what is in the file: preprocessing and labels."""
    recipe = recipe_of(graph)
    known = None if recipe is None else recipe.pixels
    options = dataclasses.replace(options, classifier=is_classifier(outputs), known=known)
    if recipe is not None and wanted.names is None:
        wanted = dataclasses.replace(wanted, names=list(recipe.labels))
    return options, wanted


def _run_one(session: Session, feeds: Feeds, wanted: _OutputOptions, started: float) -> None:
    """One run, its remarks and its results. started: when what counts as loading began."""
    shapes = {name: array.shape for name, array in feeds.arrays.items()}
    with steps("preparing"):
        session.prepare(shapes)
        known = session.output_specs(shapes)
    wanted.check({name: known.get(name) for name in session.outputs}, feeds.pixels)
    loaded = time.perf_counter() - started
    started = time.perf_counter()
    outputs = session.run(feeds.arrays)
    ran = time.perf_counter() - started
    for line in (*feeds.remarks, f"loaded in {loaded:.2f} s, ran in {ran * 1e3:.1f} ms"):
        remark(line)
    classes = scores(outputs)
    if classes is not None and (wanted.target is None or wanted.classes):
        if wanted.names is not None and len(wanted.names) < classes.shape[1]:
            check_labels(wanted.names, classes.shape[1])
        print_classes(classes, wanted.top, wanted.names)
    elif wanted.target is None:
        print_outputs(outputs)
    if wanted.target is not None:
        wanted.target.save(outputs, feeds.pixels or Pixels(1 / 255))
        stdout().print(f"saved {wanted.target.path}", soft_wrap=True)

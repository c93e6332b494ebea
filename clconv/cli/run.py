"""`clconv run`: a model on pictures, folders of pictures, or arrays."""

from __future__ import annotations

import typer

from clconv import config
from clconv.cli.classes import read_labels
from clconv.cli.console import Device, Model, Precision, Size, is_given
from clconv.cli.feeds import PictureOptions
from clconv.cli.numbers import parse_mean, parse_size, parse_std, positive
from clconv.cli.pictures.listing import is_many
from clconv.cli.printing import Json, results
from clconv.cli.results import Target
from clconv.cli.running.job import Job, OutputOptions
from clconv.cli.running.many import TABLES, check_result
from clconv.cli.running.options import (
    Batch,
    Fit,
    Inputs,
    Labels,
    Mean,
    Output,
    PictureLayout,
    Pictures,
    Scale,
    Std,
    Strict,
    Top,
)


def run(
    context: typer.Context,
    model: Model,
    pictures: Pictures = None,
    inputs: Inputs = None,
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
    fit: Fit = "auto",
    batch: Batch = None,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Run a model on pictures, folders of pictures, or arrays.

    A picture is resized to the input and its middle cut out; networks that make a map of their picture (upscaling,
    segmentation) get the whole of it, in tiles that overlap. A model with several inputs takes one file for each. A run
    that writes a table goes on where it was interrupted.
    """
    from clconv.runtime.device import choose_devices

    given = [*(pictures or []), *(inputs or [])]
    if not given:
        raise typer.BadParameter("Name pictures, folders or patterns, or give --input FILE.")
    ending = "" if output is None else output.suffix.lower()
    many = ending in TABLES or any(map(is_many, given))
    if many:
        check_result(output)
    wanted = OutputOptions(
        target=None if output is None or many else Target(output),
        names=None if labels is None else read_labels(labels),
        top=top,
        classes=labels is not None or is_given(context, "top"),
    )
    options = PictureOptions(
        positive(scale, "--scale"), parse_mean(mean), parse_std(std), layout.lower(), parse_size(size),
        fit=fit.lower(),
    )  # fmt: skip
    choose_devices(device)
    job = Job(
        model, given, many, output, options, wanted, device, config.chosen_precision(precision)
    )
    with results(as_json) as out:
        job.go(strict, batch, out)

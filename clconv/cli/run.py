"""`clconv run`: a model on a picture or on arrays."""

from __future__ import annotations

import time
import types
import zipfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.markup import escape
from rich.table import Table

from clconv.cli.classes import probabilities, read_labels, scores, top_classes
from clconv.cli.console import Device, Model, Precision, Size, stdout
from clconv.cli.feeds import PictureOptions, parse_floats, parse_size, read_feeds
from clconv.cli.images import Pixels, from_tensor, is_classifier, save_picture
from clconv.cli.progress import steps
from clconv.errors import ConfigError
from clconv.store.files import replacing

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def run(
    model: Model,
    inputs: Annotated[
        list[str],
        typer.Option(
            "--input",
            "-i",
            help="FILE or NAME=FILE: a picture, .npy, or .npz with arrays by input name. Once an input.",
            show_default=False,
        ),
    ],
    device: Device = None,
    precision: Precision = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Save to .npz, .npy or a picture.", show_default=False),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Names of the classes: one a line, or JSON.", show_default=False),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to print.")] = 5,
    size: Size = None,
    mean: Annotated[
        str | None,
        typer.Option(
            help="Taken off scaled pixels: one number or one a channel, 0.5,0.5,0.5. "
            "Default: ImageNet's for its classifiers, else 0.",
            show_default=False,
        ),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(
            help="Scaled pixels less the mean are divided by it. Default: like --mean, else 1.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(help="Pixels 0..255 times this. Default: 1/255 for float inputs, else 1."),
    ] = None,
    layout: Annotated[
        str, typer.Option(help="Axes of picture inputs: auto, nchw or nhwc.")
    ] = "auto",
) -> None:
    """Run a model on a picture (its middle, resized to the input) or on arrays."""
    names = read_labels(labels) if labels else None
    if output is not None and output.suffix.lower() not in (".npz", ".npy", *_PICTURES):
        raise ConfigError(f"--output {output}: .npz, .npy or a picture ({', '.join(_PICTURES)})")
    from clconv.api import load
    from clconv.runtime.inputs import conform

    started = time.perf_counter()
    with steps("loading the network") as shown:
        session = load(model, device, precision=precision, progress=shown.compiling)
        options = PictureOptions(
            scale, parse_floats(mean, "--mean"), parse_floats(std, "--std"), layout.lower(),
            parse_size(size), is_classifier(session.outputs),
        )  # fmt: skip
        feeds = read_feeds(session.inputs, inputs, options)
        arrays = conform(session.inputs, feeds.arrays)
        session.prepare({name: array.shape for name, array in arrays.items()})
    loaded = time.perf_counter() - started
    started = time.perf_counter()
    outputs = session.run(arrays)
    ran = time.perf_counter() - started

    for line in (f"device: {session.device}", *feeds.remarks):
        typer.echo(line, err=True)
    typer.echo(f"loaded in {loaded:.2f} s, ran in {ran * 1e3:.1f} ms", err=True)
    classes = scores(outputs)
    if classes is not None and output is None:
        _print_classes(classes, top, names)
    elif output is None:
        _print_outputs(outputs)
    else:
        _save(output, outputs, feeds.pixels or Pixels(1 / 255))
        stdout().print(escape(f"saved {output}"))


def _print_classes(classes: np.ndarray, top: int, names: list[str] | None) -> None:
    for index, row in enumerate(probabilities(classes)):
        if len(classes) > 1:
            stdout().print(f"image {index}")
        for number, name, probability in top_classes(row, top, names):
            stdout().print(escape(f"{probability:7.2%}  {number:4}  {name}".rstrip()))


def _print_outputs(outputs: dict[str, np.ndarray]) -> None:
    table = Table("output", "shape", "type", "least", "mean", "largest")
    for name, array in outputs.items():
        numbers = ("", "", "")
        if array.size:
            numbers = (f"{array.min():.6g}", f"{array.mean():.6g}", f"{array.max():.6g}")
        shape = "x".join(map(str, array.shape)) or "scalar"
        table.add_row(escape(name), shape, array.dtype.name, *numbers)
    stdout().print(table)


def _save(path: Path, outputs: dict[str, np.ndarray], pixels: Pixels) -> None:
    if path.suffix.lower() == ".npz":
        _save_npz(path, outputs)
        return
    if path.suffix.lower() in _PICTURES:
        pictures = [a for a in outputs.values() if a.ndim == 4]
        picture = from_tensor(pictures[0] if pictures else next(iter(outputs.values())), pixels)
        save_picture(picture, path)
        return
    if len(outputs) != 1:
        raise ConfigError(f"{path}: the model has {len(outputs)} outputs; save them as .npz")
    with replacing(path) as file:
        # Only write() is shown: into a file NumPy writes by itself, and a full disk is then "4 requested and 3 written".
        plain: Any = types.SimpleNamespace(write=file.write)
        np.lib.format.write_array(plain, next(iter(outputs.values())), allow_pickle=False)


def _save_npz(path: Path, outputs: dict[str, np.ndarray]) -> None:
    """Like np.savez(), which takes no output of the name "file"."""
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in outputs.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)

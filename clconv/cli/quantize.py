"""`clconv quantize`: a network in 8 bits, with ranges from the user's pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from clconv.cli.console import Device, Model, Size, is_given
from clconv.cli.feeds import PictureOptions, check_feeds, read_feeds
from clconv.cli.files import check_writable
from clconv.cli.numbers import parse_mean, parse_size, parse_std, positive
from clconv.cli.pictures.listing import pictures as list_pictures
from clconv.cli.pixels import is_classifier
from clconv.cli.printing import Column, Json, Results, Table, results
from clconv.cli.progress import steps
from clconv.cli.recipe import recipe_of
from clconv.cli.running.options import Mean, Scale, Std
from clconv.errors import ConfigError, InputError
from clconv.graph.ir import Graph

if TYPE_CHECKING:
    from clconv.quantization import Quantized

_ARRAYS = (".npy", ".npz")


def quantize(
    context: typer.Context,
    model: Model,
    samples: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, folders or patterns of pictures, .npy or .npz files: what the network will be used for.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The ONNX file to write.", show_default=False)
    ],
    method: Annotated[
        str,
        typer.Option(
            help="How ranges are chosen: minmax, percentile (cuts off outliers), or entropy."
        ),
    ] = "minmax",
    percentile: Annotated[
        float,
        typer.Option(help="With --method percentile: how many percent of the values are kept."),
    ] = 99.99,
    most: Annotated[
        int,
        typer.Option("--most", help="Use so many samples at most, spread evenly over those given."),
    ] = 200,
    device: Device = None,
    size: Size = None,
    mean: Mean = None,
    std: Std = None,
    scale: Scale = None,
    as_json: Json = False,
) -> None:
    """Write a network in 8 bits (QuantizeLinear and DequantizeLinear, weights per channel), and say what that changes.

    The samples are run on the device to see which values occur. Where there are ten or more, every fifth is kept back and
    shows how much the answers change. Other runtimes read the file, too.
    """
    from clconv.api import read_model, save
    from clconv.quantization import quantize as quantized
    from clconv.quantization.ranges import check_method
    from clconv.runtime.device import choose_device

    check_method(method, percentile)
    if is_given(context, "percentile") and method != "percentile":
        raise ConfigError("--percentile: is for --method percentile; leave it out")
    if most < 1:
        raise ConfigError(f"--most {most}: use one sample at least")
    check_writable(output, "--output", ".onnx")
    choose_device(device)
    files = _spread(_files(samples), most)
    wanted = (positive(scale, "--scale"), parse_mean(mean), parse_std(std))
    graph = read_model(model)
    source = _Samples(graph, files, wanted, parse_size(size))
    with steps("compiling kernels") as shown:
        made = quantized(graph, source, method, percentile, device, shown.count)
    save(made.graph, output)
    with results(as_json) as out:
        _print(out, made, Path(model), output)


def _files(given: Sequence[str]) -> list[str]:
    arrays = [text for text in given if Path(text).suffix.lower() in _ARRAYS]
    others = [text for text in given if text not in arrays]
    return [*arrays, *(list_pictures(others) if others else [])]


def _spread(files: list[str], most: int) -> list[str]:
    if len(files) <= most:
        return files
    return [files[i * len(files) // most] for i in range(most)]


class _Samples(Sequence[dict[str, np.ndarray]]):
    """What the network is fed of each file, read whenever it is asked for: all of them may not fit into memory. Raises what
    tells of a file that is of no use before any work."""

    def __init__(
        self,
        graph: Graph,
        files: list[str],
        values: tuple[float | None, tuple[float, ...] | None, tuple[float, ...] | None],
        size: tuple[int, int] | None,
    ) -> None:
        self._specs, self._files = graph.input_specs(), files
        if len(self._specs) > 1 and not all(f.lower().endswith(".npz") for f in files):
            raise InputError(
                f"the network takes {len(self._specs)} inputs ({', '.join(self._specs)}): give .npz files with arrays of "
                "these names"
            )
        outputs = {n: graph.metadata.get("output_specs", {}).get(n) for n in graph.outputs}
        known = recipe_of(graph)
        self._options = PictureOptions(
            *values, size=size, classifier=is_classifier(outputs), fit="crop",
            known=known.pixels if known else None,
        )  # fmt: skip
        for file in files:
            if not file.lower().endswith(".npz"):
                options = self._options if not file.lower().endswith(".npy") else PictureOptions()
                check_feeds(self._specs, [file], options)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:  # type: ignore[override]
        return read_feeds(self._specs, [self._files[index]], self._options).arrays


def _print(out: Results, made: Quantized, model: Path, output: Path) -> None:
    before, after = model.stat().st_size, output.stat().st_size
    out.line(
        f"{output}: {made.products} of {made.of_products} convolutions and full connections in 8 bits, {after / 1e6:.1f} MB "
        f"(before {before / 1e6:.1f} MB)",
        output=str(output), quantized=made.products, of=made.of_products, bytes=after, bytes_before=before,
    )  # fmt: skip
    how = "kept back" if made.held_out else "the same: give ten or more to keep some back"
    out.line(
        f"ranges from {made.calibrated} samples, answers compared on {made.compared} ({how})",
        samples=made.calibrated, compared=made.compared, held_out=made.held_out,
    )  # fmt: skip
    table = Table(
        Column("output", kind="name"),
        Column(
            "signal_to_noise", "signal to noise, dB", "number", shown=lambda ratio: f"{ratio:.1f}"
        ),
        Column(
            "same_first_class",
            "same first class",
            "number",
            shown=lambda share: "" if share is None else f"{share:.1%}",
        ),
    )
    for change in made.changes:
        table.add(change.name, change.ratio, change.agreement)
    out.table("changes", table)

"""The options of `clconv run`, as typer reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Pictures = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PICTURES]...",
        help="Pictures, folders of pictures, patterns such as 'photos/*.jpg'.",
        show_default=False,
    ),
]
Inputs = Annotated[
    list[str] | None,
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
    typer.Option(
        "--output",
        "-o",
        help="One result: .npz, .npy or a picture. Many: a table, .csv, .jsonl, .parquet or .npz.",
        show_default=False,
    ),
]
Fit = Annotated[
    str,
    typer.Option(
        help="auto, tiles (the whole picture, for outputs that are maps of it) or crop (its middle)."
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Pictures that run together, where the model leaves it open. Default: 16.",
        show_default=False,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Stop at a picture that cannot be read, instead of skipping it."),
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

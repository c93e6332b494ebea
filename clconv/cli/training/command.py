"""`clconv train`: a network learns from pictures, and is written as a file that `clconv run` knows how to feed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clconv.cli.console import Device, Model, Size, interrupted, remark
from clconv.cli.feeds import check_size
from clconv.cli.files import check_writable
from clconv.cli.numbers import parse_mean, parse_size, parse_std, positive
from clconv.cli.pixels import PicturePlacement, Pixels, choose_pixels, is_classifier, place
from clconv.cli.printing import Column, Json, Results, Table, results
from clconv.cli.recipe import Recipe, recipe_of, with_recipe
from clconv.cli.training.augment import Augmentation
from clconv.cli.training.bar import training_bar
from clconv.cli.training.examples import PictureExamples
from clconv.cli.training.listing import Listing, list_pictures, split
from clconv.errors import ConfigError, InputError, ShapeError, TrainingError

if TYPE_CHECKING:
    from clconv.graph.ir import Graph
    from clconv.training.loop import Loop
    from clconv.training.optimisers import Optimizer
    from clconv.training.trainer import Trainer

_FIGURES = {
    "loss": "loss",
    "accuracy": "accuracy",
    "val_loss": "held back: loss",
    "val_accuracy": "accuracy",
}
_SIZE = (224, 224)  # of pictures where the model leaves it open


def train(
    model: Model,
    pictures: Annotated[
        Path,
        typer.Argument(
            help="A folder with a folder of pictures for each class, or a CSV file of file,label.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The ONNX file to write.", show_default=False)
    ],
    device: Device = None,
    epochs: Annotated[int, typer.Option(min=1, help="How often each picture is seen.")] = 5,
    batch: Annotated[int, typer.Option(min=1, help="Pictures of one step.")] = 32,
    optimizer: Annotated[str, typer.Option(help="sgd, adam, adamw, adagrad or rmsprop.")] = "adamw",
    lr: Annotated[
        float | None,
        typer.Option(
            "--lr", help="Learning rate. Default: 0.01 with sgd, else 0.0003.", show_default=False
        ),
    ] = None,
    weight_decay: Annotated[float, typer.Option(min=0, help="Pulls weights towards zero.")] = 1e-4,
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            help="Pattern of parameters that stay as they are: 'features.*'. Can be given several times.",
            show_default=False,
        ),
    ] = None,
    validation: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="The part of the pictures that is held back to measure."),
    ] = 0.2,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many epochs that are no better. 0: never.")
    ] = 0,
    augment: Annotated[
        bool, typer.Option(help="Crop, mirror and colour pictures at random.")
    ] = True,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on where an interrupted run stopped.", show_default=False
        ),
    ] = False,
    size: Size = None,
    mean: Annotated[str | None, typer.Option(help="As for clconv run.", show_default=False)] = None,
    std: Annotated[str | None, typer.Option(help="As for clconv run.", show_default=False)] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the last layer, the order and the changes of pictures.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Train a classifier on your own pictures: its last layer is made anew for their classes.

    Writes the best of all epochs with its labels, which `clconv run` then shows by itself. Ctrl-C keeps what was
    learned; --resume goes on.
    """
    from clconv.store.tensors import check_installed
    from clconv.training.loop import FitOptions, Loop

    check_writable(output, "--output", ".onnx")
    check_installed()  # every epoch ends with a checkpoint
    listing = list_pictures(pictures)
    training, held = split(listing, validation, seed)
    graph, name, placement, pixels = _prepared(
        model, listing, parse_size(size), (parse_mean(mean), parse_std(std)), seed
    )
    chosen = _optimizer(optimizer, positive(lr, "--lr"), weight_decay)
    trainer = _trainer(graph, chosen, device, freeze or [], seed)
    axes = _axes_of_scores(graph, len(listing.labels))
    changes = Augmentation() if augment else None
    settings = {
        "--batch": str(batch),
        "--seed": str(seed),
        "--validation": str(validation),
        "--augment": str(augment),
        "--freeze": str(freeze or []),
        "--size": f"{placement.width}x{placement.height}",
        "--mean": str(pixels.mean),
        "--std": str(pixels.std),
        "pictures": listing.described(pictures),
    }
    checkpoint = output.with_suffix(".checkpoint.safetensors")
    plan = FitOptions(epochs, batch, patience, checkpoint, settings)
    sources = [
        PictureExamples(part, name, placement, pixels, changes if i == 0 else None, seed, axes)
        for i, part in enumerate((training, held))
    ]
    with training_bar(epochs) as tell:
        loop = Loop(
            trainer, sources[0], sources[1] if len(held) else None, plan, tell, _print_epoch
        )
        if resume:
            _resume(loop, trainer, checkpoint)
        remark(
            f"{len(training)} pictures of {len(listing.labels)} classes, {len(held)} held back; {trainer.described()}"
        )
        _run(loop, trainer, checkpoint)
    _write(trainer, plan.best, Recipe(pixels, listing.labels), output)
    with results(as_json) as out:
        _summary(out, loop, trainer.epochs, output)


def _prepared(
    model: str,
    listing: Listing,
    size: tuple[int, int] | None,
    values: tuple[Any, Any],
    seed: int,
) -> tuple[Graph, str, PicturePlacement, Pixels]:
    """The network for these classes, its input's name, and how pictures go there."""
    from clconv.api import read_model
    from clconv.graph.epilogue import without_epilogues
    from clconv.training.head import find_head, replaced_head

    graph = without_epilogues(read_model(model))
    specs = graph.input_specs()
    if len(specs) != 1:
        raise InputError(
            f"{model}: takes {len(specs)} inputs ({', '.join(specs)}); clconv train needs one picture"
        )
    name, spec = next(iter(specs.items()))
    check_size(size, [spec])
    outputs = {n: graph.metadata.get("output_specs", {}).get(n) for n in graph.outputs}
    known = recipe_of(graph)
    if known is not None and values == (None, None):
        pixels = known.pixels
    else:
        pixels = choose_pixels(spec, is_classifier(outputs), None, *values)
    single = dataclasses.replace(spec, shape=(1, *spec.shape[1:]))
    placement = place(name, single, size or _SIZE, "auto", size or _SIZE)
    if find_head(graph).classes(graph) != len(listing.labels):
        graph = replaced_head(graph, len(listing.labels), seed)
    # What the model leaves open is part of what is learned: who runs it has to know.
    graph = graph.replace(
        specs={name: dataclasses.replace(spec, shape=(spec.shape[0], *placement.shape[1:]))}
    )
    return graph, name, placement, pixels


def _optimizer(name: str, lr: float | None, weight_decay: float) -> Optimizer:
    from clconv.training.optimisers import OPTIMISERS

    if name.lower() not in OPTIMISERS:
        raise ConfigError(f"--optimizer {name}: choose one of {', '.join(OPTIMISERS)}")
    kind = OPTIMISERS[name.lower()]
    more: dict[str, Any] = {"momentum": 0.9} if name.lower() == "sgd" else {}
    return kind(
        lr=lr or (0.01 if name.lower() == "sgd" else 3e-4), weight_decay=weight_decay, **more
    )


def _trainer(
    graph: Graph, optimizer: Optimizer, device: str | None, freeze: list[str], seed: int
) -> Trainer:
    from clconv.training.trainer import Trainer

    try:
        return Trainer(graph, "cross_entropy", optimizer, device=device, freeze=freeze, seed=seed)
    except ShapeError as reason:
        raise InputError(
            f"'{graph.name}' does not fit together with its new last layer: {reason}; give a network with as many outputs "
            "as there are classes"
        ) from None


def _axes_of_scores(graph: Graph, classes: int) -> int:
    """Axes of the output: 2, or more of size 1 behind them, as of a pooling that nothing flattens. Raises InputError for
    an output that is no row of scores."""
    from clconv.training.losses import CrossEntropy
    from clconv.training.step import compared_spec

    output = graph.outputs[0]
    spec = compared_spec(graph, CrossEntropy(), output)
    if spec.shape[1:2] != (classes,) or any(size != 1 for size in spec.shape[2:]):
        raise InputError(
            f"'{graph.name}': its output '{output}' is {spec}; clconv train needs a row of {classes} scores for a picture"
        )
    return spec.rank


def _resume(loop: Loop, trainer: Trainer, checkpoint: Path) -> None:
    if not checkpoint.exists():
        raise ConfigError(f"--resume: there is no {checkpoint}; nothing was interrupted there")
    loop.resume()
    remark(f"goes on after {trainer.steps} steps, {trainer.epochs} whole epochs")


def _run(loop: Loop, trainer: Trainer, checkpoint: Path) -> None:
    try:
        loop.run()
    except KeyboardInterrupt:
        raise interrupted(
            f": {checkpoint} has what was learned; the same command with --resume goes on"
        ) from None
    except InputError as reason:
        if trainer.steps:
            more = f"; {checkpoint} has what was learned: mend that, and the same command with --resume goes on"
            raise InputError(f"{reason}{more}") from None
        raise
    except TrainingError as reason:
        kept = f"; {checkpoint} is of the last whole epoch" if trainer.epochs else ""
        raise TrainingError(f"{str(reason).split('. ')[0]}. Give a lower --lr{kept}") from None


def _write(trainer: Trainer, best: Path, recipe: Recipe, output: Path) -> None:
    from clconv.frontend.onnx import export_onnx

    if best.exists():
        trainer.load(best)
    export_onnx(with_recipe(trainer.graph(), recipe), output)


def _print_epoch(number: int, figures: Mapping[str, float]) -> None:
    from clconv.training.progress import described

    remark(f"epoch {number}: {described(figures)}")


def _summary(out: Results, loop: Loop, epochs: int, output: Path) -> None:
    """A line for each of the last epochs, those of this run."""
    table = Table(
        Column("epoch", kind="number"),
        *(
            Column(key, title, "number", lambda figure: f"{figure:.4f}")
            for key, title in _FIGURES.items()
        ),
        Column("images_per_second", "images/s", "number", lambda speed: f"{speed:.1f}"),
    )
    for i, figures in enumerate(loop.history, epochs - len(loop.history) + 1):
        table.add(i, *(figures.get(key) for key in (*_FIGURES, "images_per_second")))
    out.table("epochs", table)
    out.line(f"{output}: written", written=str(output))

"""`clconv bench`: how long whole runs take, by batch, and against another engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clconv.cli.console import Device, Precision, Shapes, Size
from clconv.cli.files import check_readable
from clconv.cli.numbers import parse_size, positive
from clconv.cli.printing import Json, results
from clconv.cli.progress import steps
from clconv.cli.shapes import settle_shapes
from clconv.cli.timing.tables import bench_table
from clconv.errors import ConfigError
from clconv.graph.ir import TensorSpec

if TYPE_CHECKING:
    from clconv.profiling.bench import Measured

_MOST_ROUNDS = 10_000
_MOST_BATCH = 2**20


_Model = Annotated[
    list[str],
    typer.Argument(help="ONNX files, or compiled networks.", metavar="MODEL", show_default=False),
]
_Batch = Annotated[
    list[str] | None,
    typer.Option(
        "--batch",
        help="Images at once, several with spaces between: --batch 1 4 16. For models with an open batch.",
        show_default=False,
    ),
]
_Against = Annotated[
    list[str] | None,
    typer.Option("--against", help="Another engine: onnxruntime.", show_default=False),
]


def bench(
    what: _Model,
    batch: _Batch = None,
    against: _Against = None,
    rounds: Annotated[int, typer.Option(help="How often the engines take turns.")] = 5,
    seconds: Annotated[float, typer.Option(help="Of each engine in a round.")] = 0.5,
    as_json: Json = False,
    device: Device = None,
    precision: Precision = None,
    size: Size = None,
    shapes: Shapes = None,
) -> None:
    """Time whole runs of a network on random inputs: medians, percentiles, images a second.

    The engines take turns, after a warm-up, so that a machine whose speed drifts is fair to all. "clconv /" is clconv's
    time over the other engine's: below 1, clconv is faster.
    """
    model, batches = _model_and_batches(what, batch)
    if not 1 <= rounds <= _MOST_ROUNDS:
        raise ConfigError(f"--rounds {rounds}: say a number from 1 to {_MOST_ROUNDS}")
    positive(seconds, "--seconds")
    wanted = parse_size(size)
    check_readable(Path(model), "an ONNX file")
    from clconv import config
    from clconv.api import read_model
    from clconv.profiling.bench import bench as measure
    from clconv.profiling.peers import check_peers
    from clconv.runtime.device import choose_device

    check_peers(against or [])
    chosen = choose_device(device)
    config.chosen_precision(precision)
    with steps("loading the network") as shown:
        specs = read_model(model).input_specs()
        settled = settle_shapes(specs, wanted, shapes or [])
        given = [text.rpartition("=")[0] or next(iter(specs)) for text in shapes or []]
        sets = _with_batches(specs, settled, batches, given)
        found = measure(
            model, sets, against=against or [], device=chosen, precision=precision,
            rounds=rounds, seconds=seconds, progress=shown.compiling,
            on_round=lambda done, total: shown.count("timing", done, total),
        )  # fmt: skip
    listed = ", ".join(f"{name} {spec}" for name, spec in specs.items())
    with results(as_json) as out:
        out.line(f"{Path(model).name} on {chosen}: {listed}", model=model, device=str(chosen))
        if as_json:
            out.value("results", [row for engines in found for row in _rows(engines)])
            return
        out.table("results", bench_table(found))
        differences = [one.difference for engines in found for one in engines[1:]]
        if differences:
            out.line(f"outputs differ by at most {max(differences):.1e} of the largest value")


def _rows(engines: Sequence[Measured]) -> list[dict[str, Any]]:
    """clconv_ratio: clconv's time over that of the engine."""
    return [{**one.as_dict(), "clconv_ratio": engines[0].ratio(one)} for one in engines]


def _model_and_batches(what: Sequence[str], batch: Sequence[str] | None) -> tuple[str, list[int]]:
    """The model, and the numbers that stand behind --batch: the shell's words after the first are arguments."""
    numbers = [text for text in what if text.isascii() and text.isdecimal()] if batch else []
    models = [text for text in what if text not in numbers]
    if len(models) != 1:
        more = f"{', '.join(models)}: " if models else ""
        raise ConfigError(f"{more}name one model; a file that is called as a number is ./{what[0]}")
    words = [word for text in batch or [] for word in text.split(",")] + numbers
    return models[0], sorted({_batch(word.strip()) for word in words})


def _batch(word: str) -> int:
    if not (
        word.isascii() and word.isdecimal() and len(word) < 9 and 1 <= int(word) <= _MOST_BATCH
    ):
        raise ConfigError(f"--batch {word}: say numbers from 1 to {_MOST_BATCH}: --batch 1 4 16")
    return int(word)


def _with_batches(
    specs: Mapping[str, TensorSpec],
    settled: Mapping[str, tuple[int, ...]],
    batches: Sequence[int],
    given: Sequence[str],
) -> list[dict[str, tuple[int, ...]]]:
    """The inputs' shapes for each batch. given: inputs whose shape --shape says."""
    if not batches:
        return [dict(settled)]
    open_ = [n for n, spec in specs.items() if spec.shape and not isinstance(spec.shape[0], int)]
    if not open_:
        listed = ", ".join(f"{name} {spec}" for name, spec in specs.items())
        raise ConfigError(f"--batch: the model's batch is fixed: {listed}; leave it out")
    both = [name for name in open_ if name in given]
    if both:
        raise ConfigError(f"--batch and --shape {both[0]} both say the batch: leave one out")
    return [
        {n: (batch, *shape[1:]) if n in open_ else shape for n, shape in settled.items()}
        for batch in batches
    ]

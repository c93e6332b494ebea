"""`clconv compile`: a network, ready for one device, in one file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from clconv import config
from clconv.cli.console import Device, Precision, remark
from clconv.cli.files import check_readable, check_writable
from clconv.cli.printing import Json, results
from clconv.cli.progress import steps
from clconv.cli.shapes import shape_of, shaped_input
from clconv.errors import ConfigError
from clconv.graph.ir import TensorSpec

_ENDING = ".clconv"


def compile_network(
    model: Annotated[
        Path, typer.Argument(help="An ONNX file, or a compiled network.", metavar="MODEL")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file to write; ends with .clconv. Default: the model's name with that ending.",
            show_default=False,
        ),
    ] = None,
    shapes: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            help="NAME=1x3x480x640: the shape of an input; given again for the same input, one more set of shapes to be "
            "ready for.",
            show_default=False,
        ),
    ] = None,
    device: Device = None,
    precision: Precision = None,
    as_json: Json = False,
) -> None:
    """Write a network, ready for one device, into one file that starts at once.

    The file holds the model, its plans for some input shapes, packed weights and machine code. Every command and
    clconv.load() take it like an ONNX file. On another device, or with another driver or version, what it holds is
    compiled anew from the model inside. Load only files of those whose programs you would run.
    """
    target = model.with_suffix(_ENDING) if output is None else output
    check_readable(model, "a model")
    check_writable(target, "--output", _ENDING)
    config.chosen_precision(precision)
    from clconv.api import compile as compile_model
    from clconv.api import read_model
    from clconv.runtime.device import choose_device

    chosen = choose_device(device)
    started = time.perf_counter()
    with steps("loading the network") as shown:
        sets = sets_of_shapes(read_model(str(model)).input_specs(), shapes or [])
        shown.say(f"compiling for {chosen}")
        compile_model(
            str(model), target, shapes=sets, device=chosen, precision=precision,
            progress=shown.compiling,
        )  # fmt: skip
    seconds, nbytes = time.perf_counter() - started, target.stat().st_size
    remark(f"device: {chosen}")
    with results(as_json) as out:
        out.line(
            f"{target}: {nbytes / 1e6:,.1f} MB for {len(sets)} set{'s'[: len(sets) > 1]} of input shapes, "
            f"in {seconds:.1f} s",
            file=str(target), device=str(chosen), bytes=nbytes, seconds=seconds,
            shapes=[{n: list(shape) for n, shape in one.items()} for one in sets],
        )  # fmt: skip


def sets_of_shapes(
    specs: dict[str, TensorSpec], given: list[str]
) -> list[dict[str, tuple[int, ...]]]:
    """Sets of shapes, one for each time that an input is given; an input that is given less often keeps its last shape,
    one that never is has the model's. Raises ConfigError for what fits no input, or leaves a size open."""
    asked: dict[str, list[tuple[int, ...]]] = {}
    for text in given:
        name = shaped_input(specs, text)
        asked.setdefault(name, []).append(shape_of(specs[name], name, text))
    for name, spec in specs.items():
        if name not in asked and not spec.is_static:
            raise ConfigError(
                f"input '{name}' is {spec}, its size is open: say --shape {name}="
                + "x".join("?" if not isinstance(d, int) else str(d) for d in spec.shape)
            )
    found = []
    for i in range(max(map(len, asked.values()), default=1)):
        found.append(
            {
                n: asked[n][min(i, len(asked[n]) - 1)] if n in asked else s.shape
                for n, s in specs.items()
            }
        )
    return found

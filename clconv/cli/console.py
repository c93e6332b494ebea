"""What all commands share: where they print, how they fail, options that mean the same everywhere."""

from __future__ import annotations

import functools
import traceback
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from clconv.errors import ClconvError, ClconvWarning, InternalError

_PIPE_WIDTH = 200  # columns of tables that no terminal limits


def stdout() -> Console:
    """Results go here. Wide where no terminal limits it, so that tables can be read by other programs."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def stderr() -> Console:
    """Progress and remarks go here."""
    return Console(stderr=True, highlight=False)


def fail(message: str) -> typer.Exit:
    """Says what is wrong on stderr; raise what it returns."""
    typer.echo(f"clconv: error: {message}", err=True)
    return typer.Exit(1)


def _show_warning(message: Warning | str, *place: Any, **more: Any) -> None:
    """Where in the code a warning was raised means nothing to a user."""
    typer.echo(f"clconv: warning: {message}", err=True)


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the errors that a user can cause as one line on stderr and exit code 1, and with
    warnings as one line each."""

    @functools.wraps(command)
    def guarded(*arguments: Any, **options: Any) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", ClconvWarning)
                warnings.showwarning = _show_warning
                command(*arguments, **options)
        except InternalError as reason:  # to be reported with what leads to it
            traceback.print_exc()
            raise fail(str(reason)) from None
        except ClconvError as reason:
            raise fail(str(reason)) from None
        except BrokenPipeError:  # the reader of a pipe has enough: typer ends quietly
            raise
        except OSError as reason:
            where = f"{reason.filename}: " if reason.filename is not None else ""
            raise fail(f"{where}{reason.strerror or reason}") from None
        except MemoryError:
            raise fail("out of memory; use a smaller input") from None

    return guarded


Model = Annotated[str, typer.Argument(help="An ONNX file.", show_default=False)]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        "-d",
        help="Part of a name, gpu, cpu, an index, or platform:device. Default: CLCONV_DEVICE, else the best.",
        show_default=False,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        help="float32, strict (float32 without Winograd's transforms, which spread outliers), or float16 to store "
        "weights and what lies between layers as halves. "
        "Default: CLCONV_PRECISION, else float32.",
        show_default=False,
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        help="HEIGHTxWIDTH for inputs whose size is open, such as 480x640.",
        show_default=False,
    ),
]
Shapes = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        help="NAME=1x3x480x640: the whole shape of an input; can be given several times.",
        show_default=False,
    ),
]

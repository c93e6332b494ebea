"""What all commands share: where they print, how they fail, options that mean the same everywhere."""

from __future__ import annotations

import errno
import functools
import traceback
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from clconv.debug import printable, printable_lines
from clconv.errors import ClconvError, ClconvWarning, InternalError

_PIPE_WIDTH = 200  # columns of tables that no terminal limits
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class SafeConsole(Console):
    """A console whose strings are text, never markup: what files of others say is printed as it is, with escapes for
    control characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)

    def on_broken_pipe(self) -> None:
        """The command ends as it does for any other writer."""
        raise BrokenPipeError(errno.EPIPE, "the reader has enough")


def stdout() -> Console:
    """Results go here. Wide where no terminal limits it, so that tables can be read by other programs."""
    console = SafeConsole(soft_wrap=False)
    return console if console.is_terminal else SafeConsole(width=_PIPE_WIDTH)


def stderr() -> Console:
    """Progress and remarks go here."""
    return SafeConsole(stderr=True)


def indented(line: str, depth: int) -> None:
    """A line on stdout, so many steps from the edge; on a terminal what it goes on with stands there, too."""
    console = stdout()
    if console.is_terminal:
        console.print(Padding(Text(printable(line)), (0, 0, 0, 2 * depth)))
    else:
        typer.echo("  " * depth + printable(line))


def remark(line: str) -> None:
    """One line on stderr, however wide."""
    typer.echo(printable(line), err=True)


def fail(message: str) -> typer.Exit:
    """Says what is wrong on stderr; raise what it returns. Lines after the first are indented, so that none looks like
    a message of its own."""
    first, *more = printable_lines(message).split("\n")
    lines = [first, *(line if line.startswith("  ") else f"  {line}" for line in more)]
    typer.echo("clconv: error: " + "\n".join(lines), err=True)
    return typer.Exit(1)


def _show_warning(message: Warning | str, *place: Any, **more: Any) -> None:
    """Where in the code a warning was raised means nothing to a user."""
    remark(f"clconv: warning: {message}")


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
            typer.echo(printable_lines(traceback.format_exc()), err=True, nl=False)
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


def interrupted(more: str = "") -> typer.Exit:
    """Says so on stderr, with what that means; raise what it returns."""
    remark(f"clconv: interrupted{more}")
    return typer.Exit(INTERRUPTED)


def is_given(context: typer.Context, name: str) -> bool:
    """Whether an option, by its parameter's name, was on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


Model = Annotated[
    str, typer.Argument(help="An ONNX file, or a compiled network.", show_default=False)
]
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
        help="float32, strict (float32 without Winograd's transforms, which spread outliers), tf32 (products may round "
        "their factors to 11 bits), or float16 (weights and intermediate values are stored as float16). "
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

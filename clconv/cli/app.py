"""The typer application: every command in its place."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from clconv.cli.check import check
from clconv.cli.compile import compile_network
from clconv.cli.console import fail, interrupted, one_line_errors
from clconv.cli.demo import demo
from clconv.cli.devices import devices
from clconv.cli.doctor import doctor
from clconv.cli.quantize import quantize
from clconv.cli.run import run
from clconv.cli.serving.command import serve
from clconv.cli.show import show
from clconv.cli.terminal import flush_streams, prepare_streams
from clconv.cli.timing.bench import bench
from clconv.cli.timing.profile import profile
from clconv.cli.training.command import train
from clconv.cli.tuning.command import tune
from clconv.cli.visualize.command import visualize
from clconv.debug import printable_lines
from clconv.version import __version__


@contextlib.contextmanager
def _readable_errors() -> Iterator[None]:
    """An interrupt is one line. A bad use is shown with what was typed, which shells make of names of files that others
    chose: without control characters."""
    try:
        yield
    except KeyboardInterrupt:
        raise interrupted() from None
    except Exception as reason:
        message = getattr(reason, "message", None)
        if hasattr(reason, "format_message") and isinstance(message, str):
            reason.message = printable_lines(message)  # type: ignore[attr-defined]
        raise


class _Commands(TyperGroup):
    """The group of all commands, with streams that take any text and end quietly."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        prepare_streams()
        told = False
        try:
            return super().main(*arguments, **options)
        except SystemExit as end:
            told = bool(end.code)
            raise
        finally:
            failure = flush_streams()
            if failure is not None and not told:  # a full disk, say: the results are not all there
                sys.exit(fail(f"standard output: {failure.strerror or failure}").exit_code)

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _readable_errors():
            return super().make_context(*arguments, **options)

    def invoke(self, context: Any) -> Any:
        with _readable_errors():
            return super().invoke(context)


app = typer.Typer(
    name="clconv",
    cls=_Commands,
    help="Runs convolutional networks (ONNX) on any OpenCL device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    devices,
    run,
    train,
    show,
    visualize,
    check,
    profile,
    bench,
    serve,
    doctor,
    tune,
    quantize,
    demo,
):
    app.command()(one_line_errors(command))
app.command("compile")(one_line_errors(compile_network))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"clconv {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Runs convolutional networks (ONNX) on any OpenCL device."""

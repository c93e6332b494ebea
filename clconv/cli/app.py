"""The typer application: every command in its place."""

from __future__ import annotations

from typing import Annotated

import typer

import clconv
from clconv.cli.check import check
from clconv.cli.console import one_line_errors
from clconv.cli.demo import demo
from clconv.cli.devices import devices
from clconv.cli.doctor import doctor
from clconv.cli.run import run
from clconv.cli.show import show
from clconv.cli.tune import tune

app = typer.Typer(
    name="clconv",
    help="Runs convolutional networks (ONNX) on any OpenCL device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (devices, run, show, check, doctor, tune, demo):
    app.command()(one_line_errors(command))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"clconv {clconv.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Runs convolutional networks (ONNX) on any OpenCL device."""

"""The command line: `clconv devices | run | show | check | doctor | tune | demo`. One file a command."""

from __future__ import annotations


def main() -> None:
    """Entry point of the `clconv` command."""
    from clconv.cli.app import app

    app(prog_name="clconv")

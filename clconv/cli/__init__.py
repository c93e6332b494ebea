"""The command line: `clconv devices | run | show | serve | ...`. One module or folder for each command."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the `clconv` command."""
    try:
        from clconv.cli.app import app

        app(prog_name="clconv")
    except KeyboardInterrupt:  # while NumPy and others are imported
        print("clconv: interrupted", file=sys.stderr)
        sys.exit(130)
    finally:
        # An interrupt that has passed through exec(), as in the making of a dataclass, makes Python end by the signal in
        # place of the exit code; the next exec() makes it forget.
        exec("", {})

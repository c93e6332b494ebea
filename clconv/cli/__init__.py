"""The command line: `clconv devices | run | show | serve | ...`. One module or folder for each command."""

from __future__ import annotations

import atexit
import gc
import sys


def main() -> None:
    """Entry point of the `clconv` command."""
    # The last thing that Python does is to look for garbage, a third of a second where much was imported. Nothing waits for it.
    atexit.register(gc.freeze)
    try:
        from clconv.cli.interrupts import keep_interrupts
        from clconv.garbage import uncollected

        keep_interrupts()
        with uncollected():
            from clconv.cli.app import app

        app(prog_name="clconv")
    except KeyboardInterrupt:  # while NumPy and others are imported
        print("clconv: interrupted", file=sys.stderr)
        sys.exit(130)
    finally:
        # An interrupt that has passed through exec(), as in the making of a dataclass, makes Python end by the signal in
        # place of the exit code; the next exec() makes it forget.
        exec("", {})

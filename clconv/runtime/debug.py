"""Lines for a person who set CLCONV_DEBUG, on standard error."""

from __future__ import annotations

import sys

from clconv import config


def say(level: int, text: str) -> None:
    """Prints the text if CLCONV_DEBUG is at least the level."""
    if config.DEBUG.get() >= level:
        print(f"clconv: {text}", file=sys.stderr, flush=True)

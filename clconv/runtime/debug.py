"""Lines on standard error for who set CLCONV_DEBUG."""

from __future__ import annotations

import sys

from clconv import config


def say(level: int, text: object) -> None:
    """Prints the text, or any object as its text, if CLCONV_DEBUG is at least the level."""
    if config.DEBUG.get() >= level:
        print(f"clconv: {text}", file=sys.stderr, flush=True)

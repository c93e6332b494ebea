"""Lines for a person: on standard error for who set CLCONV_DEBUG, and warnings, each once a process."""

from __future__ import annotations

import sys
import warnings

from clconv import config
from clconv.errors import ClconvWarning

_warned: set[str] = set()


def say(level: int, text: object) -> None:
    """Prints the text, or any object as its text, if CLCONV_DEBUG is at least the level."""
    if config.DEBUG.get() >= level:
        print(f"clconv: {text}", file=sys.stderr, flush=True)


def warn_once(text: str) -> None:
    """A ClconvWarning, unless this process was told the same before."""
    if text not in _warned:
        _warned.add(text)
        warnings.warn(text, ClconvWarning, stacklevel=3)

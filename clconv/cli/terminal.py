"""The streams of the command line: they take any text, and end quietly."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from typing import Any

from clconv.debug import escaped

# What stands for a character of ours where the encoding lacks it.
_SPELLED = {"µ": "u", "×": "x", "…": "~", "–": "-", "—": "-", "’": "'", "→": "->"}
_HANDLER = "clconv-spelled"


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_SPELLED.get(c) or escaped(c) for c in missing), error.end


codecs.register_error(_HANDLER, _spelled)


def prepare_streams() -> None:
    """Lets stdout and stderr take any text: what their encoding lacks is spelled or escaped. A stream that was closed
    before the program began goes nowhere."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def flush_streams() -> OSError | None:
    """Writes what is left. Where that fails the stream goes nowhere from now on, so that the end of the program is
    quiet; returns the failure, but for a reader who has enough."""
    failure: OSError | None = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _drop(stream)
        except OSError as reason:
            _drop(stream)
            failure = reason
        except ValueError:  # closed
            continue
    return failure


def _drop(stream: Any) -> None:
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

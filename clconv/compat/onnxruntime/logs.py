"""What clconv logs, on standard error as onnxruntime writes it, for programs that set severities.

Severities: 0 verbose, 1 info, 2 warning (the usual one), 3 error, 4 fatal.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import sys
import time
from collections.abc import Iterator

from clconv.debug import LOGGER, printable

_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_LETTERS = "VIWEF"
_default = 2
# What the session that works in this thread wants; None outside of one.
_severity: contextvars.ContextVar[int | None] = contextvars.ContextVar("severity", default=None)


class _Handler(logging.Handler):
    """Writes what is severe enough for the session at work; nothing of sessions that are clconv's own."""

    def emit(self, record: logging.LogRecord) -> None:
        least = _severity.get()
        severity = sum(record.levelno >= level for level in _LEVELS) - 1
        if least is None or severity < least:
            return
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        place = f"{record.module}.py:{record.lineno} {record.funcName}"
        line = f"{at}.{record.msecs:03.0f} [{_LETTERS[severity]}:clconv:, {place}] {record.getMessage()}"
        print(printable(line), file=sys.stderr)


def set_severity(severity: int) -> None:
    """That of sessions that do not set their own. Raises ValueError unless it is 0 to 4."""
    global _default
    _default = _checked(severity)


def _checked(severity: int) -> int:
    if severity not in range(len(_LEVELS)):
        raise ValueError(f"a severity is 0 (verbose) to 4 (fatal), not {severity!r}")
    return severity


@contextlib.contextmanager
def logged(severity: int) -> Iterator[None]:
    """A session works in this block. severity: SessionOptions.log_severity_level, -1 for the default."""
    wanted = _default if severity == -1 else _checked(severity)
    if not any(isinstance(handler, _Handler) for handler in LOGGER.handlers):
        LOGGER.addHandler(_Handler())
    if LOGGER.getEffectiveLevel() > _LEVELS[wanted]:
        LOGGER.setLevel(_LEVELS[wanted])
    token = _severity.set(wanted)
    try:
        yield
    finally:
        _severity.reset(token)

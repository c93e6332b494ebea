"""Refused: a request that gets an error for its answer, with the HTTP status that says whose fault it is."""

from __future__ import annotations

from collections.abc import Mapping

from clconv.errors import (
    ClconvError,
    DeviceMemoryError,
    HostMemoryError,
    InputError,
    ShapeError,
)

_LONGEST = 1000  # characters of a message: names in it are the client's

BAD_REQUEST, NOT_FOUND, TOO_LARGE, UNAVAILABLE = 400, 404, 413, 503


class Refused(ClconvError):
    """status: of HTTP. headers: that go with the answer."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        shown = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
        super().__init__(shown)
        self.status, self.headers = status, dict(headers or {})


def bad(message: str) -> Refused:
    """The request itself is wrong."""
    return Refused(BAD_REQUEST, message)


def busy(message: str, seconds: int = 1) -> Refused:
    """The same request may be answered in so many seconds."""
    return Refused(UNAVAILABLE, message, {"Retry-After": str(seconds)})


def refusal_of(reason: BaseException) -> Refused | None:
    """How a run's error is answered; None for what is the server's own fault."""
    if isinstance(reason, Refused):
        return reason
    if isinstance(reason, DeviceMemoryError | HostMemoryError | MemoryError):
        return Refused(TOO_LARGE, f"{reason or 'out of memory'}; send a smaller input")
    # A shape that the inputs allow may still fit no operator inside: that is the client's shape.
    if isinstance(reason, InputError | ShapeError):
        return bad(str(reason))
    return None

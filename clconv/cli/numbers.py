"""Numbers on the command line. Each is refused before any work if it means nothing."""

from __future__ import annotations

import math

from clconv.errors import ConfigError

_LARGEST_SIZE = 2**31 - 1
_CHANNELS = (1, 3, 4)  # of pictures


def parse_sizes(text: str, option: str) -> tuple[int, ...]:
    """ "1x3x8x8" as numbers; ConfigError if it is not."""
    parts = text.strip().lower().split("x")
    if not all(part.isascii() and part.lstrip("-").isdecimal() for part in parts):
        raise ConfigError(f"{option} {text!r}: sizes are numbers with x between, 480x640")
    if any(part.startswith("-") or not part.strip("0") for part in parts):
        raise ConfigError(f"{option} {text!r}: sizes start at 1")
    if any(len(part) > 20 or int(part) > _LARGEST_SIZE for part in parts):
        raise ConfigError(f"{option} {text!r}: sizes end at {_LARGEST_SIZE}")
    return tuple(map(int, parts))


def parse_size(text: str | None) -> tuple[int, int] | None:
    """--size as (height, width)."""
    if text is None:
        return None
    sizes = parse_sizes(text, "--size")
    if len(sizes) != 2:
        raise ConfigError(f"--size {text!r}: say HEIGHTxWIDTH, such as 480x640")
    return sizes[0], sizes[1]


def parse_mean(text: str | None) -> tuple[float, ...] | None:
    """--mean "0.5,0.5,0.5" as finite numbers, one or one a channel."""
    return _per_channel(text, "--mean")


def parse_std(text: str | None) -> tuple[float, ...] | None:
    """--std as numbers above zero, one or one a channel."""
    found = _per_channel(text, "--std")
    if found is not None and min(found) <= 0:
        raise ConfigError(f"--std {text}: deviations are numbers above zero")
    return found


def positive(value: float | None, option: str) -> float | None:
    """The value; ConfigError unless it is finite and above zero."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{option} {value:g}: say a number above zero")
    return value


def _per_channel(text: str | None, option: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"{option} {text!r}: numbers with commas between, 0.5,0.5,0.5") from None
    if not all(map(math.isfinite, found)):
        raise ConfigError(f"{option} {text!r}: numbers that are finite")
    if len(found) not in _CHANNELS:
        raise ConfigError(f"{option}: {len(found)} values; say one, or one for each channel")
    return found

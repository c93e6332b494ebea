"""Every CLCONV_* variable, declared and documented once. Read when used, so tests can set them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from clconv.errors import ConfigError
from clconv.records import record

Value = TypeVar("Value")

# What os.environ looks names up in, of which it makes bytes each time and an exception where there is none.
_DATA: dict[Any, Any] | None = getattr(os.environ, "_data", None)


@functools.cache
def _key(name: str) -> Any:
    return getattr(os.environ, "encodekey", str)(name)


@record(frozen=True)
class Setting(Generic[Value]):
    """One environment variable: its name, how its text is read, what it is without one."""

    name: str
    parse: Callable[[str], Value]
    default: Value | Callable[[], Value]
    doc: str

    @property
    def is_set(self) -> bool:
        """Whether there is such a variable: sooner known than what it says, which each run asks."""
        return self.name in os.environ if _DATA is None else _key(self.name) in _DATA

    def get(self) -> Value:
        """The value now; ConfigError if the text means nothing."""
        text = os.environ.get(self.name, "").strip()
        if not text:
            return self.default() if callable(self.default) else self.default
        try:
            return self.parse(text)
        except ValueError as reason:
            raise ConfigError(f"{self.name}={text!r}: {reason}. {self.doc}") from None


def _level(text: str) -> int:
    if text not in ("0", "1", "2", "3", "4", "5"):
        raise ValueError("not a level from 0 to 5")
    return int(text)


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("neither 1 nor 0")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("not a number from 0")
    return int(text)


def _variants(text: str) -> dict[str, str]:
    chosen = {}
    for part in text.split(","):
        operator, _, variant = part.partition(":")
        if not operator.strip() or not variant.strip():
            raise ValueError(f"{part!r} is not operator:variant")
        chosen[operator.strip().lower()] = variant.strip().lower()
    return chosen


def _usual_cache_dir() -> Path:
    import platformdirs  # only now: most imports of clconv look at no file

    return Path(platformdirs.user_cache_dir("clconv"))


PRECISIONS = ("float32", "strict", "tf32", "float16")


def _precision(text: str) -> str:
    if not isinstance(text, str) or text.lower() not in PRECISIONS:
        raise ValueError(f"no precision; there are {', '.join(PRECISIONS)}")
    return text.lower()


def chosen_precision(precision: str | None) -> str:
    """The precision that was asked for, CLCONV_PRECISION if none was; ConfigError if there is none such."""
    if precision is None:
        return PRECISION.get()
    try:
        return _precision(precision)
    except ValueError as reason:
        raise ConfigError(f"precision={precision!r}: {reason}") from None


DEVICE = Setting(
    "CLCONV_DEVICE",
    str,
    "",
    "The device to use: part of a name, gpu, cpu, gpu:0, an index, or platform:device. Several with commas, or all: "
    "run_batches() and `clconv run` spread batches over them, the rest uses the first.",
)
DEBUG = Setting(
    "CLCONV_DEBUG",
    _level,
    0,
    "Prints 1 device and memory, 2 a line per kernel, 3 passes and why this variant, 4 source, 5 build log.",
)
CHECK = Setting(
    "CLCONV_CHECK",
    _flag,
    False,
    "1: compare every node with the NumPy reference and stop at the first that differs.",
)
DUMP: Setting[Path | None] = Setting(
    "CLCONV_DUMP",
    Path,
    None,
    "A folder for the graph after each pass, the plan, the sources, and a script per launch that replays it.",
)
VARIANT: Setting[dict[str, str]] = Setting(
    "CLCONV_VARIANT",
    _variants,
    {},
    "Forces variants: operator:variant, such as conv:simple; several are separated by commas.",
)
ONE_LAUNCH = Setting(
    "CLCONV_ONE_LAUNCH",
    _flag,
    True,
    "0: one launch per kernel, even where joining launches would be faster.",
)
PARTS: Setting[int | None] = Setting(
    "CLCONV_PARTS",
    _count,
    None,
    "PoCL: into how many programs, which are compiled side by side, joined launches go; 1 for one. Unset: as many as pay.",
)
IMAGES: Setting[int | None] = Setting(
    "CLCONV_IMAGES",
    _count,
    None,
    "How many images of a batch run at a time; 0: all of them. By default the fastest number.",
)
PRECISION = Setting(
    "CLCONV_PRECISION",
    _precision,
    "float32",
    "strict: float32 without Winograd's transforms and similar variants, in which a value can affect results that do not "
    "read it. float16: store the weights and intermediate values of float32 networks as float16; sums stay float32. "
    "tf32: matrix instructions may round factors to 11 bits.",
)
LOOP_LIMIT = Setting(
    "CLCONV_LOOP_LIMIT",
    _count,
    100_000_000,
    "How many trips a Loop may run; one that would go on, or has no end, is an error.",
)
CACHE_DIR = Setting(
    "CLCONV_CACHE_DIR",
    Path,
    _usual_cache_dir,
    "Where clconv stores its findings about devices, rendered sources, and networks that were loaded.",
)
CACHE_SIZE = Setting(
    "CLCONV_CACHE_SIZE",
    _count,
    4096,
    "How many megabytes of networks that were loaded are kept in CLCONV_CACHE_DIR, those used last, so that they start at "
    "once when they are loaded again; 0: none.",
)

SERVE_TOKEN = Setting(
    "CLCONV_SERVE_TOKEN",
    str,
    "",
    "What clients of `clconv serve` must send as `Authorization: Bearer TOKEN`.",
)

SETTINGS: tuple[Setting[Any], ...] = (
    DEVICE,
    DEBUG,
    CHECK,
    DUMP,
    VARIANT,
    ONE_LAUNCH,
    PARTS,
    IMAGES,
    PRECISION,
    LOOP_LIMIT,
    CACHE_DIR,
    CACHE_SIZE,
    SERVE_TOKEN,
)

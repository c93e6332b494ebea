"""The range of each value over samples, and the grid of 256 steps that covers it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clconv.errors import ConfigError, InputError

METHODS = ("minmax", "percentile", "entropy")
_BINS = 2048
_LEVELS = 128  # to which entropy compares a histogram: what a byte has for each sign

Values = Mapping[str, np.ndarray]
Observe = Callable[
    [Callable[[Values], None]], None
]  # calls the function with the values of each sample


@dataclasses.dataclass(frozen=True)
class Range:
    """What values between low and high are rounded to: real = (integer - zero) * scale, integer 0 to 255."""

    low: float
    high: float

    @property
    def scale(self) -> np.float32:
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        scale = np.float32((high - low) / 255)
        # Values that are all zero fit any scale, and nothing may be divided by zero or one too small to be normal.
        return scale if scale > np.finfo(np.float32).tiny else np.float32(1)

    @property
    def zero(self) -> np.uint8:
        return np.uint8(np.clip(np.rint(-min(self.low, 0.0) / self.scale), 0, 255))


def check_method(method: str, percentile: float) -> None:
    """Raises ConfigError for a method or percentile that does not exist."""
    if method not in METHODS:
        raise ConfigError(f"method {method!r}: choose one of {', '.join(METHODS)}")
    if not 50 < percentile <= 100:
        raise ConfigError(f"percentile {percentile:g}: must be above 50 and at most 100")


def find_ranges(observe: Observe, method: str, percentile: float) -> dict[str, Range]:
    """The range of each value that `observe` shows.

    minmax: from the least to the greatest. percentile: what is left of the histogram without the 100 - percentile percent
    that are farthest from zero. entropy: the range whose histogram, rounded to 8 bits, is least different from the whole
    (Migacz, "8-bit inference with TensorRT", 2017). The latter two see the samples twice. Raises InputError where a value
    is not finite.
    """
    check_method(method, percentile)
    extremes: dict[str, tuple[float, float]] = {}

    def widen(values: Values) -> None:
        for name, array in values.items():
            if not array.size:
                continue
            low, high = float(array.min()), float(array.max())
            if not np.isfinite(low) or not np.isfinite(high):
                raise InputError(
                    f"'{name}' is not finite for one of the samples: a network that overflows cannot be quantised"
                )
            before = extremes.get(name, (low, high))
            extremes[name] = min(before[0], low), max(before[1], high)

    observe(widen)
    if not extremes:
        raise InputError("there is no sample to take ranges from")
    if method == "minmax":
        return {name: Range(*ends) for name, ends in extremes.items()}
    largest = {name: max(abs(low), abs(high)) or 1.0 for name, (low, high) in extremes.items()}
    counts = {name: np.zeros(_BINS, np.int64) for name in extremes}

    def count(values: Values) -> None:
        for name, array in values.items():
            if array.size:
                places = np.abs(array.reshape(-1)) * np.float32(_BINS / largest[name])
                whole = np.minimum(places.astype(np.int64), _BINS - 1)
                counts[name] += np.bincount(whole, minlength=_BINS)

    observe(count)
    found = {}
    for name, (low, high) in extremes.items():
        bins = _kept_bins(counts[name], method, percentile)
        most = largest[name] * bins / _BINS
        found[name] = Range(max(low, -most), min(high, most))
    return found


def _kept_bins(counts: np.ndarray, method: str, percentile: float) -> int:
    """How many bins from zero on a range keeps."""
    if method == "entropy":
        return _least_divergence(counts)
    reached = np.cumsum(counts) >= counts.sum() * (percentile / 100)
    return int(np.argmax(reached)) + 1


def _least_divergence(counts: np.ndarray) -> int:
    """The number of bins at which the Kullback-Leibler divergence of the histogram from its rounded form is least."""
    scores: list[tuple[float, int]] = []
    weights = counts.astype(np.float64)
    weights[0] = weights[1]  # zeros are exact on any grid
    for bins in range(_LEVELS, _BINS + 1, 16):
        whole = weights[:bins].copy()
        whole[-1] += weights[bins:].sum()
        rounded = _rounded(weights[:bins])
        if whole.sum() and rounded.sum():
            scores.append((_divergence(whole / whole.sum(), rounded / rounded.sum()), bins))
    return min(scores)[1] if scores else len(counts)


def _rounded(counts: np.ndarray) -> np.ndarray:
    """A histogram whose bins share what falls on one step, but for those that were empty."""
    starts = np.arange(_LEVELS) * len(counts) // _LEVELS
    sums, filled = (
        np.add.reduceat(counts, starts),
        np.add.reduceat((counts > 0).astype(float), starts),
    )
    lengths = np.diff([*starts, len(counts)])
    each = np.divide(sums, filled, out=np.zeros_like(sums), where=filled > 0)
    return np.where(counts > 0, np.repeat(each, lengths), 0.0)


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    there = p > 0
    least = np.maximum(q[there], 1e-9)
    return float(np.sum(p[there] * np.log(p[there] / least)))


def observed(samples: Sequence[int], run: Callable[[int], Values]) -> Observe:
    """What find_ranges() asks for: the values of each sample, by its number, as `run` gives them."""

    def observe(see: Callable[[Values], None]) -> None:
        for sample in samples:
            see(run(sample))

    return observe

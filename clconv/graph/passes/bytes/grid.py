"""Grids: what values of a quantised network may be, and the bytes that count their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from clconv.graph.ir import Attributes, Constant
from clconv.graph.ops.quantised.bytes import NUMBERS
from clconv.records import record


@record(frozen=True)
class Grid:
    """real = (byte - zero) * scale for bytes 0 to `most`. The byte of an int8 is 128 more than the int8."""

    scale: float
    zero: int
    most: int

    @property
    def reals(self) -> np.ndarray:
        """What each of 256 bytes stands for, as float32."""
        steps = np.arange(256) - np.float64(self.zero)
        return (steps * np.float64(np.float32(self.scale))).astype(np.float32)

    def bytes_of(self, reals: np.ndarray) -> np.ndarray:
        """The bytes that stand for reals, as QuantizeLinear rounds; NaN is the least."""
        with np.errstate(all="ignore"):
            steps = np.rint(reals.astype(np.float32) / np.float32(self.scale))
        steps = np.where(steps > -self.zero, np.minimum(steps, self.most - self.zero), -self.zero)
        return (steps + self.zero).astype(np.uint8)


@record(frozen=True)
class CutOff:
    """What an activation before a quantisation cuts off."""

    low: float = -np.inf
    high: float = np.inf

    def then(self, low: float, high: float) -> CutOff:
        """Cut further: Clip with low above high gives high."""
        return CutOff(min(max(self.low, low), high), min(max(self.high, low), high))

    def ends(self, grid: Grid) -> tuple[float, float]:
        """The least and the greatest step from the zero point. Rounding never falls, so that what is cut before it may
        be cut behind it."""
        low, high = (float(np.rint(np.float64(v) / grid.scale)) for v in (self.low, self.high))
        least, most = -grid.zero, grid.most - grid.zero
        return min(max(low, least), most), min(max(high, least), most)

    def is_on(self, grid: Grid) -> bool:
        """Whether cutting a value of the grid leaves one of the grid."""
        finite = [v for v in (self.low, self.high) if np.isfinite(v)]
        return all(float(np.rint(v / grid.scale)) * grid.scale == v for v in finite)


def grid_of(attrs: Attributes, scale: np.ndarray | None, zero: np.ndarray | None) -> Grid | None:
    """The grid on which FakeQuantize puts values; None if it has more than 256 steps, or not one scale for all."""
    if scale is None or zero is None or not scale.size or not zero.size:
        return None
    if np.ptp(scale) or np.ptp(zero) or attrs.high - attrs.low > 255:
        return None
    step, point = float(scale.flat[0]), int(zero.flat[0])
    if not (np.isfinite(step) and step > 0 and attrs.low <= point <= attrs.high):
        return None
    return Grid(step, point - int(attrs.low), int(attrs.high - attrs.low))


def numbers_of(
    first: Sequence[float], other: Sequence[float], ends: tuple[float, float], zero: int
) -> np.ndarray:
    """The numbers of graph/ops/quantised/bytes.py."""
    made = np.zeros(NUMBERS, np.float32)
    made[: len(first)] = first
    made[3 : 3 + len(other)] = other
    made[5:8] = (*ends, zero)
    return made


Grids = Mapping[str, Grid]


@record(frozen=True)
class Weights:
    """Filters of int8, (filters, channels, window...), and what one step of each filter is."""

    values: Constant
    scale: np.ndarray

    @classmethod
    def of(cls, constant: Constant | None, turned: bool = False) -> Weights | None:
        """What a constant of floats was. A matrix (channels, filters) if turned, else (filters, channels), becomes filters
        of one pixel. None if it was no bytes, or has other scales than one, or one for each filter."""
        known = None if constant is None else constant.integers
        if known is None or not known.values.spec.rank:
            return None
        rank, count = known.values.spec.rank, known.values.spec.shape[-1 if turned else 0]
        axis = rank - 1 if turned else 0
        for numbers in (known.scale, known.zero):
            if numbers.size not in (1, count) or (numbers.size > 1 and known.axis != axis):
                return None
        values = known.values
        if rank == 2 or np.any(known.zero) or values.spec.dtype.value != "int8":
            how = f"bytes {turned} {known.zero.tolist()}"
            if how not in values.derived:
                made = _signed(values.array, known.zero, axis)
                if made is None:
                    return None
                values.derived[how] = Constant(made)
            values = values.derived[how]
        scale = np.broadcast_to(known.scale.astype(np.float64).reshape(-1), (count,))
        return cls(values, scale)


def _signed(values: np.ndarray, zero: np.ndarray, axis: int) -> np.ndarray | None:
    along = [-1 if i == axis else 1 for i in range(values.ndim)]
    shift = zero.reshape(along) if zero.size > 1 else zero.reshape(())
    whole = values.astype(np.int32) - shift.astype(np.int32)
    if whole.min(initial=0) < -128 or whole.max(initial=0) > 127:
        return None
    whole = np.moveaxis(whole, axis, 0)
    if whole.ndim == 2:
        whole = whole[..., None, None]
    return np.ascontiguousarray(whole, np.int8)

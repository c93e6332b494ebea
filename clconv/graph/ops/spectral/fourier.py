"""Discrete Fourier transforms written as matrix products.

A short transform is a product with the matrix of its cosines and sines. A longer one is split into two lengths, as a
fast Fourier transform is (Cooley and Tukey, "An Algorithm for the Machine Calculation of Complex Fourier Series",
1965); one whose length has a large prime is a convolution of a length that has none (Bluestein, "A linear filtering
approach to the computation of discrete Fourier transform", 1970). Complex numbers are pairs on the last axis.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from clconv.graph.ir import Constant, DType
from clconv.graph.ops.base import Expansion

# Up to this length one product takes less time than several with rearrangements between them.
DIRECT = 128
_FACTOR = 64  # the largest length to split off, where there is a choice
_LARGEST_PRIME = 256  # a matrix for more is larger than what Bluestein's convolution needs


def dft_matrix(
    given: int, parts: int, length: int, places: int, inverse: bool, onesided: bool
) -> np.ndarray:
    """(given * parts, places * 2) or, for a one-sided inverse, (given * parts, places), float64.

    A row of numbers, parts side by side, times it is their transform. given: how many there are; those past
    `length` are left out, those missing are zeros.
    """
    time, place = np.arange(min(given, length))[:, None], np.arange(places)[None]
    # Products modulo the length keep the angle exact.
    angle = 2 * np.pi * ((time * place) % length) / length
    cosine, sine = np.cos(angle), np.sin(angle) * (1 if inverse else -1)
    if inverse and onesided:
        time = time[: length // 2 + 1]
        cosine, sine = cosine[: len(time)], sine[: len(time)]
        twice = mirrored(len(time), length)[:, None]
        rows = np.stack([cosine * twice, -sine * twice], 1)[..., None]
    else:
        rows = np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], 1)
    rows = rows[:, :parts] / (length if inverse else 1)
    matrix = np.zeros((given, *rows.shape[1:]))
    matrix[: len(rows)] = rows
    return matrix.reshape(given * parts, -1)


def mirrored(given: int, length: int) -> np.ndarray:
    """How often each of the first half of a real signal's transform counts: the other half mirrors it."""
    time = np.arange(given)
    return np.where((time == 0) | (2 * time == length), 1.0, 2.0)


def transform(
    e: Expansion, name: str, dtype: DType, lines: int, length: int, parts: int, inverse: bool
) -> str:
    """The transforms (lines, length, 2) of (lines, length, parts) of that dtype, of any length."""
    scale = length if inverse else 1
    return _Writer(e, dtype, inverse).lines(name, lines, length, parts, scale)


class _Writer:
    """Writes transforms in one direction; `scale` is what their results are divided by."""

    def __init__(self, e: Expansion, dtype: DType, inverse: bool) -> None:
        self.e, self.dtype, self.inverse = e, dtype, inverse

    def lines(self, name: str, lines: int, length: int, parts: int, scale: int = 1) -> str:
        factor = factor_of(length)
        if factor == length:
            return self._direct(name, lines, length, parts, scale)
        if not factor:
            return self._bluestein(name, lines, length, parts, scale)
        e, rest = self.e, length // factor
        # Number n is rest * i + j, place k is k1 + factor * k2.
        name = self._shaped(name, lines, factor, rest, parts)
        (name,) = e.emit("Transpose", name, perm=(0, 2, 1, 3))
        name = self._direct(name, lines * rest, factor, parts, scale)
        turns = _turns(self.dtype, rest, factor, length, self.inverse)
        name = self._shaped(name, lines, rest, factor, 2)
        name = self._times(name, turns)
        (name,) = e.emit("Transpose", name, perm=(0, 2, 1, 3))
        name = self._shaped(name, lines * factor, rest, 2)
        name = self.lines(name, lines * factor, rest, 2)
        name = self._shaped(name, lines, factor, rest, 2)
        (name,) = e.emit("Transpose", name, perm=(0, 2, 1, 3))
        return self._shaped(name, lines, length, 2)

    def _direct(self, name: str, lines: int, length: int, parts: int, scale: int) -> str:
        matrix = _matrix(self.dtype, length, parts, self.inverse, scale)
        name = self._shaped(name, lines, length * parts)
        (name,) = self.e.emit("MatMul", name, self.e.constant(matrix, "waves"))
        return self._shaped(name, lines, length, 2)

    def _bluestein(self, name: str, lines: int, length: int, parts: int, scale: int) -> str:
        """n * k = (n^2 + k^2 - (k - n)^2) / 2 makes a convolution of it, whose length may be a power of two."""
        e, size = self.e, 1 << (2 * length - 2).bit_length()
        before, spectrum, after = _chirps(self.dtype, length, size, self.inverse, scale)
        name = self._times(self._shaped(name, lines, length, parts), before, parts)
        pads = e.ints(0, 0, 0, 0, size - length, 0)
        (name,) = e.emit("Pad", name, pads, mode="constant")
        name = _Writer(e, self.dtype, False).lines(name, lines, size, 2)
        name = self._times(name, spectrum)
        name = _Writer(e, self.dtype, True).lines(name, lines, size, 2, size)
        (name,) = e.emit("Slice", name, e.ints(0), e.ints(length), e.ints(1))
        return self._times(name, after)

    def _times(self, name: str, factors: Constant, parts: int = 2) -> str:
        """(lines, ..., parts) times complex factors (..., 2, 2), see _pairs."""
        e = self.e
        *outer, _, _ = factors.spec.shape
        if parts == 1:
            (name,) = e.emit("Mul", name, e.constant(_real_row(factors), "factors"))
            return name
        name = self._shaped(name, -1, *outer, 2, 1)
        (name,) = e.emit("Mul", name, e.constant(factors, "factors"))
        (name,) = e.emit("ReduceSum", name, e.ints(len(outer) + 1), keepdims=0)
        return name

    def _shaped(self, name: str, *shape: int) -> str:
        (name,) = self.e.emit("Reshape", name, self.e.ints(*shape))
        return name


def factor_of(length: int) -> int:
    """What to split off a length: all of it if one matrix does, 0 if only Bluestein's way is left."""
    if length <= DIRECT:
        return length
    divisors = [d for d in range(2, _FACTOR + 1) if length % d == 0]
    if divisors:
        return min(divisors, key=lambda d: (abs(d * d - length), d))
    prime = next((d for d in range(_FACTOR + 1, _LARGEST_PRIME + 1) if length % d == 0), 0)
    return prime


def _pairs(values: np.ndarray, dtype: DType) -> Constant:
    """Complex factors as (..., 2, 2): what each part of a number adds to each part of the product."""
    real, imaginary = values.real, values.imag
    rows = np.stack([np.stack([real, imaginary], -1), np.stack([-imaginary, real], -1)], -2)
    return Constant(rows.astype(dtype.numpy))


def _real_row(factors: Constant) -> Constant:
    """The factors of real numbers, (..., 2)."""
    if "real" not in factors.derived:
        factors.derived["real"] = Constant(np.ascontiguousarray(factors.array[..., 0, :]))
    return factors.derived["real"]


@functools.lru_cache(64)
def _matrix(dtype: DType, length: int, parts: int, inverse: bool, scale: int) -> Constant:
    matrix = dft_matrix(length, parts, length, length, inverse, False)
    return Constant((matrix * (length if inverse else 1) / scale).astype(dtype.numpy))


@functools.lru_cache(16)
def _turns(dtype: DType, rest: int, factor: int, length: int, inverse: bool) -> Constant:
    """Between the transforms of both lengths, place k1 of those of numbers j turns by their product."""
    product = np.arange(rest)[:, None] * np.arange(factor)[None]
    sign = 1 if inverse else -1
    return _pairs(np.exp(sign * 2j * np.pi * (product % length) / length), dtype)


@functools.lru_cache(16)
def _chirps(dtype: DType, length: int, size: int, inverse: bool, scale: int) -> Any:
    """What numbers are multiplied with, their transforms, and the results."""
    sign = 1 if inverse else -1
    places = [n * n % (2 * length) for n in range(length)]  # exact for any length
    chirp = np.exp(sign * 1j * np.pi * np.array(places) / length)
    around = np.zeros(size, np.complex128)
    around[:length] = chirp.conj()
    around[size - length + 1 :] = chirp[:0:-1].conj()
    return (
        _pairs(chirp, dtype), _pairs(np.fft.fft(around), dtype), _pairs(chirp / scale, dtype)
    )  # fmt: skip

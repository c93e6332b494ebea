"""The discrete Fourier transform: DFT.

It is written as products with matrices of cosines and sines, see fourier. Complex numbers are pairs on the
last axis.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Constant, DType, TensorSpec
from clconv.graph.ops.base import Call, Expansion, Op, register
from clconv.graph.ops.numeric import expect_kind, one_value
from clconv.graph.ops.spectral.fourier import DIRECT, dft_matrix, mirrored, transform
from clconv.records import record

# So many lines or more are transformed by one product while its matrix is not larger than this: it then lies in a cache
# (measured up to 1024 points on two cores: half the time at 512 real ones, twice at 1024 complex ones).
_MANY_LINES = 8
_DENSE = 1 << 19

# Points of a transform. While tables of factors are made for so many, the host needs 1.4 GB, 4.2 GB by Bluestein's way.
_MOST_POINTS = 1 << 24


def _transform(call: Call) -> tuple[int, int, int]:
    """Axis, length of the transform, and how many places the result has along the axis."""
    x, at = call.spec(0), call.attrs
    expect_kind(call, 0, "float")
    call.expect(
        x.rank >= 2 and x.shape[-1] in (1, 2), "the last axis must be 1 (real) or 2 (complex)"
    )
    axis = call.axis(one_value(call, 2) if call.has(2) else -2, x.rank)
    call.expect(axis < x.rank - 1, "the last axis holds the numbers' parts")
    call.expect(
        not (at.onesided and at.inverse) or x.shape[-1] == 2,
        "a one-sided inverse is of complex numbers",
    )
    default = 2 * (x.shape[axis] - 1) if at.inverse and at.onesided else x.shape[axis]
    length = one_value(call, 1) if call.has(1) else default
    call.expect(length >= 1, f"a transform of length {length}")
    call.expect(
        length <= _MOST_POINTS,
        f"a transform of length {length:,} is longer than the {_MOST_POINTS:,} points that factors are made for",
    )
    places = length // 2 + 1 if at.onesided and not at.inverse else length
    return axis, length, places


def _infer_dft(call: Call) -> Sequence[TensorSpec]:
    axis, _, places = _transform(call)
    x, at = call.spec(0), call.attrs
    parts = 1 if at.inverse and at.onesided else 2
    return [TensorSpec((*x.shape[:axis], places, *x.shape[axis + 1 : -1], parts), x.dtype)]


def dft_reference(
    at: Any, x: np.ndarray, length: np.ndarray | None = None, axis: np.ndarray | None = None
) -> np.ndarray:
    """numpy.fft's transforms: fft, ifft, the half of fft that real input needs, and irfft."""
    along = (-2 if axis is None else int(axis.reshape(-1)[0])) % x.ndim
    wide = x.astype(np.float64)
    signal = wide[..., 0] if x.shape[-1] == 1 else wide[..., 0] + 1j * wide[..., 1]
    n = None if length is None else int(length.reshape(-1)[0])
    if at.inverse and at.onesided:
        return np.asarray(np.fft.irfft(signal, n, along)[..., None], x.dtype)
    result = (np.fft.ifft if at.inverse else np.fft.fft)(signal, n, along)
    if at.onesided:
        result = np.take(result, range(result.shape[along] // 2 + 1), along)
    return np.stack([result.real, result.imag], -1).astype(x.dtype)


@functools.lru_cache(32)
def _matrix(dtype: DType, *settings: Any) -> Constant:
    """The matrix as a constant; plans for other sizes get the same one."""
    return Constant(dft_matrix(*settings).astype(dtype.numpy))


def _expand_dft(e: Expansion) -> bool:
    call, at = e.call, e.call.attrs
    axis, length, places = _transform(call)
    (result,) = _infer_dft(call)
    x, name = call.spec(0), call.node.inputs[0]
    given, parts, made = x.shape[axis], x.shape[-1], result.shape[-1]
    outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 : -1])
    if inner != 1:
        (name,) = e.emit("Reshape", name, e.ints(outer, given, inner, parts), allowzero=1)
        (name,) = e.emit("Transpose", name, perm=(0, 2, 1, 3))
    signal = Signal(name, outer * inner, given, parts)
    (product,) = transform_lines(e, signal, length, places, bool(at.inverse), bool(at.onesided))
    if inner != 1:
        (product,) = e.emit("Reshape", product, e.ints(outer, inner, places, made), allowzero=1)
        (product,) = e.emit("Transpose", product, perm=(0, 2, 1, 3))
    (shaped,) = e.emit("Reshape", product, e.ints(*result.shape), allowzero=1)
    e.result(shaped)
    return True


@record(frozen=True)
class Signal:
    """A value that holds so many lines of so many numbers, of 1 or 2 parts."""

    name: str
    lines: int
    given: int
    parts: int


def transform_lines(
    e: Expansion, signal: Signal, length: int, places: int, inverse: bool, onesided: bool
) -> list[str]:
    """The transforms of a signal's lines, `places` of each: by one product if they are short, see fourier."""
    given, parts = signal.given, signal.parts
    dtype = e.call.spec(0).dtype
    matrix_size = 2 * given * parts * places
    dense = signal.lines >= _MANY_LINES and matrix_size <= _DENSE
    if length <= DIRECT or dense or not signal.lines or not given:
        rows = e.emit("Reshape", signal.name, e.ints(signal.lines, given * parts), allowzero=1)
        matrix = _matrix(dtype, given, parts, length, places, inverse, onesided)
        return e.emit("MatMul", *rows, e.constant(matrix, "waves"))
    name = e.emit("Reshape", signal.name, e.ints(signal.lines, given, parts))[0]
    halves = dtype is DType.FLOAT16
    if halves:  # what lies between the products is kept whole
        dtype = DType.FLOAT32
        (name,) = e.emit("Cast", name, to=dtype.value)
    kept = min(given, length // 2 + 1 if inverse and onesided else length)
    if kept < given:
        (name,) = e.emit("Slice", name, e.ints(0), e.ints(kept), e.ints(1))
    if inverse and onesided:
        twice = mirrored(kept, length).astype(dtype.numpy).reshape(kept, 1)
        (name,) = e.emit("Mul", name, e.constant(twice, "mirrored"))
    if kept < length:
        (name,) = e.emit("Pad", name, e.ints(0, 0, 0, 0, length - kept, 0), mode="constant")
    name = transform(e, name, dtype, signal.lines, length, parts, inverse)
    if places < length:
        (name,) = e.emit("Slice", name, e.ints(0), e.ints(places), e.ints(1))
    if inverse and onesided:
        (name,) = e.emit("Slice", name, e.ints(0), e.ints(1), e.ints(2))
    return e.emit("Cast", name, to="float16") if halves else [name]


register(
    Op(
        "DFT",
        _infer_dft,
        dft_reference,
        attributes={"inverse": 0, "onesided": 0},
        inputs=(1, 3),
        expand=_expand_dft,
        always_expands=True,
    )
)

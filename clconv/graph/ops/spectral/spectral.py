"""Fourier transforms and what goes with them: DFT, STFT, MelWeightMatrix.

A transform is written as products with matrices of cosines and sines, see fourier. Complex numbers are pairs on the
last axis.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.errors import DeviceMemoryError
from clconv.graph.ir import Attributes, Constant, DType, TensorSpec
from clconv.graph.ops.base import Call, Expansion, Op, register, same_dtype
from clconv.graph.ops.movement.create import known_dtype
from clconv.graph.ops.numeric import expect_kind, one_value
from clconv.graph.ops.spectral.fourier import DIRECT, dft_matrix, mirrored, transform

# So many lines or more are transformed by one product while its matrix is not larger than this: it then lies in a cache
# (measured up to 1024 points on two cores: half the time at 512 real ones, twice at 1024 complex ones).
_MANY_LINES = 8
_DENSE = 1 << 19


_MOST_FRAMES = 1 << 29  # numbers; the table of where they lie takes twice as many bytes as they do
_MOST_WEIGHTS = 1 << 28  # of a MelWeightMatrix


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
    places = length // 2 + 1 if at.onesided and not at.inverse else length
    return axis, length, places


def _infer_dft(call: Call) -> Sequence[TensorSpec]:
    axis, _, places = _transform(call)
    x, at = call.spec(0), call.attrs
    parts = 1 if at.inverse and at.onesided else 2
    return [TensorSpec((*x.shape[:axis], places, *x.shape[axis + 1 : -1], parts), x.dtype)]


def _dft(
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
    signal = _Signal(name, outer * inner, given, parts)
    (product,) = _lines(e, signal, length, places, bool(at.inverse), bool(at.onesided))
    if inner != 1:
        (product,) = e.emit("Reshape", product, e.ints(outer, inner, places, made), allowzero=1)
        (product,) = e.emit("Transpose", product, perm=(0, 2, 1, 3))
    (shaped,) = e.emit("Reshape", product, e.ints(*result.shape), allowzero=1)
    e.result(shaped)
    return True


@dataclasses.dataclass(frozen=True)
class _Signal:
    """A value that holds so many lines of so many numbers, of 1 or 2 parts."""

    name: str
    lines: int
    given: int
    parts: int


def _lines(
    e: Expansion, signal: _Signal, length: int, places: int, inverse: bool, onesided: bool
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


def _frames(call: Call) -> tuple[int, int, int]:
    """Length of a frame, step from one to the next, and how many there are."""
    x = call.spec(0)
    same_dtype(call, 0, 2)
    expect_kind(call, 0, "float")
    call.expect(
        x.rank == 2 or (x.rank == 3 and x.shape[2] in (1, 2)),
        "the signal must be (batch, length, 1 or 2)",
    )
    step = one_value(call, 1)
    length = x.shape[1]
    if call.has(3):
        length = one_value(call, 3)
    elif call.has(2):
        length = call.spec(2).size
    if call.has(2):
        call.expect(call.spec(2).shape == (length,), f"the window must have shape ({length},)")
    call.expect(step >= 1 and 1 <= length <= x.shape[1], f"frames of {length} every {step}")
    return length, step, 1 + (x.shape[1] - length) // step


def _infer_stft(call: Call) -> Sequence[TensorSpec]:
    length, _, count = _frames(call)
    x = call.spec(0)
    call.expect(
        not call.attrs.onesided or x.rank == 2 or x.shape[2] == 1, "onesided is of real signals"
    )
    places = length // 2 + 1 if call.attrs.onesided else length
    return [TensorSpec((x.shape[0], count, places, 2), x.dtype)]


def _stft(
    at: Any,
    x: np.ndarray,
    step: np.ndarray,
    window: np.ndarray | None = None,
    frame_length: np.ndarray | None = None,
) -> np.ndarray:
    """The transform of each frame times the window: (batch, frames, places, 2)."""
    length = x.shape[1]
    if frame_length is not None:
        length = int(frame_length.reshape(-1)[0])
    elif window is not None:
        length = window.size
    hop = int(step.reshape(-1)[0])
    wide = (x[..., None] if x.ndim == 2 else x).astype(np.float64)
    weights = 1.0 if window is None else window.astype(np.float64)[:, None]
    starts = range(0, x.shape[1] - length + 1, hop)
    frames = np.stack([wide[:, s : s + length] * weights for s in starts], 1)
    return _dft(Attributes(inverse=0, onesided=at.onesided), frames).astype(x.dtype)


def _expand_stft(e: Expansion) -> bool:
    """Frames by Gather, their window by Mul unless it is known, their transforms by one MatMul."""
    call = e.call
    length, step, count = _frames(call)
    (result,) = _infer_stft(call)
    x, name = call.spec(0), call.node.inputs[0]
    parts, places = (1 if x.rank == 2 else x.shape[2]), result.shape[2]
    if x.shape[0] * count * length > _MOST_FRAMES:
        raise DeviceMemoryError(
            f"node '{call.node.name}' (STFT): {count:,} frames of {length:,} of {x.shape[0]} signals are more than "
            f"the {_MOST_FRAMES:,} numbers that are gathered at once; use a shorter signal or a larger step"
        )
    starts = np.arange(count)[:, None] * step + np.arange(length)
    (frames,) = e.emit("Gather", name, e.constant(starts, "places"), axis=1)
    if call.has(2):
        (window,) = e.emit("Reshape", call.node.inputs[2], e.ints(length, 1), allowzero=1)
        (frames,) = e.emit("Reshape", frames, e.ints(x.shape[0], count, length, parts), allowzero=1)
        (frames,) = e.emit("Mul", frames, window)
    signal = _Signal(frames, x.shape[0] * count, length, parts)
    (product,) = _lines(e, signal, length, places, False, bool(call.attrs.onesided))
    (shaped,) = e.emit("Reshape", product, e.ints(*result.shape), allowzero=1)
    e.result(shaped)
    return True


def _infer_mel(call: Call) -> Sequence[TensorSpec]:
    bins, length = one_value(call, 0), one_value(call, 1)
    call.expect(bins >= 1 and length >= 1, f"{bins} bins for transforms of length {length}")
    rate, low, high = (float(one_value(call, i)) for i in range(2, 5))
    call.expect(
        rate > 0 and 0 <= low <= high,
        f"{low} to {high} hertz at {rate} samples a second mean nothing",
    )
    most = int(_corners(bins, length, rate, low, high).max())
    call.expect(most <= length // 2, f"{high} hertz lie beyond half of the {rate} samples a second")
    call.expect(
        (length // 2 + 1) * bins <= _MOST_WEIGHTS,
        f"{bins:,} bins of {length // 2 + 1:,} places are more than the {_MOST_WEIGHTS:,} weights that are made",
    )
    return [TensorSpec((length // 2 + 1, bins), known_dtype(call, call.attrs.output_datatype))]


def _corners(bins: int, length: int, rate: float, low: float, high: float) -> np.ndarray:
    """Where the triangles begin, peak and end: places of a transform of that length."""
    bottom, top = (2595 * np.log10(1 + hertz / 700) for hertz in (low, high))
    mel = np.arange(bins + 2) * ((top - bottom) / (bins + 2)) + bottom
    hertz = 700 * (10 ** (mel / 2595) - 1)
    return np.asarray((length + 1) * hertz // rate).astype(np.int64)


def _mel(
    at: Any,
    bins: np.ndarray,
    length: np.ndarray,
    rate: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """(places of a one-sided transform, bins): triangles whose corners lie evenly on the mel scale.

    Corners are whole places, as ONNX defines them: floor((length + 1) * hertz / rate).
    """
    count, n = int(bins.reshape(-1)[0]), int(length.reshape(-1)[0])
    corners = _corners(count, n, *(v.reshape(-1)[0].item() for v in (rate, low, high)))
    weights = np.zeros((n // 2 + 1, count))
    for i, (left, centre, right) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
        rising, falling = np.arange(left, centre + 1), np.arange(centre, right)
        weights[rising, i] = (rising - left) / (centre - left) if centre > left else 1
        if right > centre:
            weights[falling, i] = (right - falling) / (right - centre)
    return weights.astype(at.output_datatype)


def _expand_mel(e: Expansion) -> bool:
    """Only a large one comes here: others are constants."""
    values = [e.call.value(i) for i in range(5)]
    e.result(e.constant(_mel(e.call.attrs, *values), "weights"))
    return True


register(
    Op(
        "DFT",
        _infer_dft,
        _dft,
        attributes={"inverse": 0, "onesided": 0},
        inputs=(1, 3),
        expand=_expand_dft,
        always_expands=True,
    )
)
register(
    Op(
        "STFT",
        _infer_stft,
        _stft,
        attributes={"onesided": 1},
        inputs=(2, 4),
        expand=_expand_stft,
        always_expands=True,
    )
)
register(
    Op(
        "MelWeightMatrix",
        _infer_mel,
        _mel,
        attributes={"output_datatype": "float32"},
        inputs=(5, 5),
        expand=_expand_mel,
        always_expands=True,
    )
)

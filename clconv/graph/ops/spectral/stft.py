"""The Fourier transforms of a signal's frames: STFT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.errors import DeviceMemoryError
from clconv.graph.ir import Attributes, TensorSpec
from clconv.graph.ops.base import Call, Expansion, Op, register, same_dtype
from clconv.graph.ops.numeric import expect_kind, one_value
from clconv.graph.ops.spectral.dft import Signal, dft_reference, transform_lines

_MOST_FRAMES = 1 << 29  # numbers; the table of where they lie takes twice as many bytes as they do


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
    return dft_reference(Attributes(inverse=0, onesided=at.onesided), frames).astype(x.dtype)


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
    signal = Signal(frames, x.shape[0] * count, length, parts)
    (product,) = transform_lines(e, signal, length, places, False, bool(call.attrs.onesided))
    (shaped,) = e.emit("Reshape", product, e.ints(*result.shape), allowzero=1)
    e.result(shaped)
    return True


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

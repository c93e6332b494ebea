"""Hostile numbers, and tensors whose parts do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

INTS = (
    0, 0, -1, -1, 1, 1, 2, 2, 3, 4, 5, 7, -2, -3, -7, 8, 16, 31, 64, 100, 1000, 65535, 1 << 20, (1 << 31) - 1, 1 << 31,
    -(1 << 31), 1 << 32, (1 << 63) - 1, -(1 << 63),
)  # fmt: skip
FLOATS = (
    0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-38, 1e38, -1e38, 1e9, float("nan"), float("inf"), -float("inf"),
)  # fmt: skip


def pick(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]


def hostile_int(rng: np.random.Generator) -> int:
    """One of INTS; the huge ones of the end are rarer, as everything refuses them early."""
    return int(pick(rng, INTS if rng.random() < 0.4 else INTS[:20]))


def hostile_float(rng: np.random.Generator) -> float:
    return float(pick(rng, FLOATS))


def change_tensor(tensor: onnx.TensorProto, rng: np.random.Generator) -> None:
    """Other dimensions, data, type or values."""
    way = rng.integers(8)
    if way == 0:
        _change_dims(tensor, rng)
    elif way == 1:
        tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data) + 1))]
    elif way == 2:
        tensor.raw_data = tensor.raw_data + bytes(int(rng.integers(1, 9)))
    elif way == 3:
        tensor.data_type = int(pick(rng, (1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 0, 8, 16, 21, 99)))
    else:
        _change_values(tensor, rng)


def _change_dims(tensor: onnx.TensorProto, rng: np.random.Generator) -> None:
    dims = list(tensor.dims)
    way = rng.integers(4)
    if way == 0:
        dims.append(1)
    elif way == 1:
        dims = [1, *dims]
    elif way == 2 and dims:
        dims[int(rng.integers(len(dims)))] = hostile_int(rng)
    else:
        dims = dims[::-1]
    tensor.dims[:] = dims


def _change_values(tensor: onnx.TensorProto, rng: np.random.Generator) -> None:
    """A sound tensor with other values, another rank, or another type."""
    if tensor.data_location == TensorProto.EXTERNAL:
        return
    try:
        array = numpy_helper.to_array(tensor).copy()
    except Exception:  # a mutant's tensor need not be sound
        return
    way = rng.integers(8)
    if way == 0:
        array = array.reshape(-1)
    elif way == 1:
        array = array[None]
    elif way == 2:
        array = array.reshape(-1)[:1].reshape(()) if array.size else np.zeros((), array.dtype)
    elif way == 3:
        array = array.reshape(-1)[:0]
    elif way == 4 and array.ndim:
        axis = int(rng.integers(array.ndim))
        array = np.concatenate([array, array], axis)
    elif way == 5:
        kind = pick(rng, (np.float16, np.float64, np.int64, np.int32, np.uint8, np.bool_))
        with np.errstate(all="ignore"):
            array = array.astype(kind)
    elif array.size and array.dtype.kind in "iufb":
        place = int(rng.integers(array.size))
        value = hostile_float(rng) if array.dtype.kind == "f" else hostile_int(rng)
        with np.errstate(all="ignore"):
            array.reshape(-1)[place] = np.array(value).astype(array.dtype)
    changed = numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), tensor.name)
    tensor.CopyFrom(changed)

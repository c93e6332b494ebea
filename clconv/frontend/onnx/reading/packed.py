"""Weights of element types that clconv does not compute with, widened as they are read.

4-bit integers become 8-bit ones, bfloat16 becomes float32. Only operators that hand values on, or turn them into
ones of another type, may read them: the others would give results of the wrong type.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto

from clconv.errors import ModelError
from clconv.frontend.onnx.reading.external import external_bytes
from clconv.frontend.onnx.reading.files import Origin
from clconv.graph.ir import Constant

WIDENED = frozenset({TensorProto.INT4, TensorProto.UINT4, TensorProto.BFLOAT16})

# What may read widened values.
READERS = frozenset(
    {
        "Cast", "DequantizeLinear", "Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten",
        "Gather", "Slice", "Concat", "Expand",
    }
)  # fmt: skip


def read_widened(tensor: TensorProto, name: str, origin: Origin) -> Constant:
    """The tensor's value as int8, uint8 or float32. Raises ModelError if its data does not fit its shape."""
    what = f"{origin.label}: tensor '{name}'"
    shape = tuple(tensor.dims)
    count = math.prod(shape)
    if count < 0 or any(d < 0 for d in shape):
        raise ModelError(f"{what} has a negative size: {shape}")
    half = tensor.data_type == TensorProto.BFLOAT16
    expected = 2 * count if half else (count + 1) // 2
    data = _stored(tensor, what, expected, origin)
    if data.size != expected:
        raise ModelError(f"{what} of shape {shape} needs {expected} bytes, but holds {data.size}")
    if half:
        bits = data.view("<u2").astype(np.uint32) << 16
        return Constant(bits.view(np.float32).reshape(shape))
    nibbles = np.stack([data & 15, data >> 4], -1).reshape(-1)[:count].reshape(shape)
    if tensor.data_type == TensorProto.UINT4:
        return Constant(nibbles)
    return Constant(((nibbles.astype(np.int8) ^ 8) - 8).astype(np.int8))


def _stored(tensor: TensorProto, what: str, expected: int, origin: Origin) -> np.ndarray:
    """The bytes, wherever they are."""
    span = origin.weights.get(tensor.name)
    if tensor.data_location == TensorProto.EXTERNAL:
        return external_bytes(tensor, what, expected, origin)
    if tensor.HasField("raw_data"):
        return np.frombuffer(tensor.raw_data, np.uint8)
    if span is not None and not tensor.int32_data:
        return span.read()
    typed = np.array(tensor.int32_data, np.int64)
    if tensor.data_type == TensorProto.BFLOAT16:
        return typed.astype("<u2").view(np.uint8)
    return typed.astype(np.uint8)

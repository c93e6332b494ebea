"""TensorProto <-> NumPy, believing nothing: sizes are checked before anything is allocated."""

from __future__ import annotations

import math
import sys

import numpy as np
import onnx
from onnx import TensorProto

from clconv.errors import ModelError, UnsupportedError
from clconv.frontend.onnx.reading.external import external_bytes, external_span
from clconv.frontend.onnx.reading.files import Origin
from clconv.frontend.onnx.reading.spans import LARGE
from clconv.graph.ir import MOST_AXES, Constant, DType, TensorSpec

DTYPES: dict[int, DType] = {
    TensorProto.FLOAT: DType.FLOAT32,
    TensorProto.DOUBLE: DType.FLOAT64,
    TensorProto.FLOAT16: DType.FLOAT16,
    TensorProto.INT64: DType.INT64,
    TensorProto.INT32: DType.INT32,
    TensorProto.INT16: DType.INT16,
    TensorProto.INT8: DType.INT8,
    TensorProto.UINT64: DType.UINT64,
    TensorProto.UINT32: DType.UINT32,
    TensorProto.UINT16: DType.UINT16,
    TensorProto.UINT8: DType.UINT8,
    TensorProto.BOOL: DType.BOOL,
}
ENUMS: dict[DType, int] = {dtype: enum for enum, dtype in DTYPES.items()}

# Typed fields of a TensorProto and how their elements are stored, where raw_data is not used.
_FIELDS: dict[DType, tuple[str, str]] = {
    DType.FLOAT32: ("float_data", "float32"),
    DType.FLOAT64: ("double_data", "float64"),
    DType.INT64: ("int64_data", "int64"),
    DType.UINT64: ("uint64_data", "uint64"),
    DType.UINT32: ("uint64_data", "uint64"),
    **{
        dtype: ("int32_data", "int32")
        for dtype in (
            DType.INT32,
            DType.INT16,
            DType.INT8,
            DType.UINT16,
            DType.UINT8,
            DType.BOOL,
            DType.FLOAT16,
        )
    },
}


def dtype_name(enum: int) -> str:
    """ONNX's name of an element type, or its number if it has none."""
    try:
        return str(TensorProto.DataType.Name(enum))
    except ValueError:
        return f"number {enum}"


def dtype_of(enum: int, what: str) -> DType:
    """The DType of ONNX's element type; UnsupportedError naming `what` if clconv has none for it."""
    if enum in DTYPES:
        return DTYPES[enum]
    if enum == TensorProto.UNDEFINED:
        raise ModelError(f"{what} has no element type")
    raise UnsupportedError(
        f"{what} has element type {dtype_name(enum)}; clconv has {', '.join(d.value for d in DType)}"
    )


def read_tensor(tensor: TensorProto, name: str, origin: Origin) -> np.ndarray:
    """The tensor's value, read-only where it shares the model's bytes.

    Raises ModelError naming the tensor if dims and data do not agree or external data cannot be had,
    UnsupportedError for element types that clconv does not have.
    """
    what = f"{origin.label}: tensor '{name}'"
    dtype, shape = _checked(tensor, what)
    if tensor.data_location == TensorProto.EXTERNAL:
        expected = math.prod(shape) * dtype.itemsize
        flat = _from_bytes(external_bytes(tensor, what, expected, origin), dtype)
    elif tensor.HasField("raw_data"):
        flat = _raw(tensor.raw_data, what, shape, dtype)
    else:
        flat = _typed(tensor, what, shape, dtype)
    return flat.reshape(shape)


def read_constant(tensor: TensorProto, name: str, origin: Origin) -> Constant:
    """The tensor as a constant: one that is large and lies in a file is read when it is needed, each time.

    Raises what read_tensor does.
    """
    what = f"{origin.label}: tensor '{name}'"
    span = origin.weights.get(tensor.name)
    if tensor.data_location == TensorProto.EXTERNAL:
        dtype, shape = _checked(tensor, what)
        span = external_span(tensor, what, math.prod(shape) * dtype.itemsize, origin)
        if span.length < LARGE:
            return Constant(_from_bytes(span.read(), dtype).reshape(shape))
    elif (
        span is None
        or tensor.HasField("raw_data")
        or any(len(getattr(tensor, f)) for f, _ in _FIELDS.values())
    ):
        return Constant(read_tensor(tensor, name, origin))
    dtype, shape = _checked(tensor, what)
    expected = math.prod(shape) * dtype.itemsize
    if span.length != expected:
        raise _wrong_length(what, shape, dtype, expected, span.length)
    return Constant.reread(
        TensorSpec(shape, dtype), lambda: _from_bytes(span.read(), dtype).reshape(shape)
    )


def _from_bytes(data: np.ndarray, dtype: DType) -> np.ndarray:
    return _native(data.view(_little_endian(dtype)), dtype)


def _checked(tensor: TensorProto, what: str) -> tuple[DType, tuple[int, ...]]:
    """Element type and shape, neither of them absurd."""
    dtype = dtype_of(tensor.data_type, what)
    if tensor.HasField("segment"):
        raise UnsupportedError(f"{what} is stored in segments")
    shape = tuple(tensor.dims)
    if len(shape) > MOST_AXES:
        raise ModelError(f"{what} has {len(shape):,} axes, NumPy's arrays have at most {MOST_AXES}")
    if any(d < 0 for d in shape):
        raise ModelError(f"{what} has a negative size: {shape}")
    if (
        math.prod(d or 1 for d in shape) * dtype.itemsize > sys.maxsize
    ):  # NumPy looks past zeros, too
        raise ModelError(f"{what} of shape {shape} is larger than any memory")
    return dtype, shape


def _little_endian(dtype: DType) -> np.dtype:
    return dtype.numpy.newbyteorder("<")


def _native(array: np.ndarray, dtype: DType) -> np.ndarray:
    if dtype is DType.BOOL:
        return array.view(np.uint8) != 0  # any byte but 0 is true; a raw view would keep the byte
    return array.astype(dtype.numpy, copy=False)


def _raw(data: bytes, what: str, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise _wrong_length(what, shape, dtype, expected, len(data))
    return _native(np.frombuffer(data, _little_endian(dtype)), dtype)


def _wrong_length(
    what: str, shape: tuple[int, ...], dtype: DType, expected: int, found: int
) -> ModelError:
    return ModelError(
        f"{what} of shape {shape} and type {dtype.value} needs {expected} bytes, but holds {found}"
    )


def _typed(tensor: TensorProto, what: str, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    field, stored = _FIELDS[dtype]
    values = np.array(getattr(tensor, field), stored)
    if values.size != math.prod(shape):
        raise ModelError(
            f"{what} of shape {shape} needs {math.prod(shape)} elements, but {field} holds "
            f"{values.size}"
        )
    if dtype is DType.FLOAT16:  # the bits of the half, one to an int32
        return values.astype(np.uint16).view(np.float16)
    return values.astype(dtype.numpy)


def write_tensor(array: np.ndarray, name: str) -> onnx.TensorProto:
    """A TensorProto that holds the array as raw, little-endian data."""
    dtype = DType.of(array)
    tensor = TensorProto(name=name, data_type=ENUMS[dtype], dims=array.shape)
    tensor.raw_data = np.ascontiguousarray(array, _little_endian(dtype)).tobytes()
    return tensor

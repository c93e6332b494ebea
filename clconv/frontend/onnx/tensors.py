"""TensorProto <-> NumPy, believing nothing: sizes are checked before anything is allocated."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from clconv.errors import ModelError, UnsupportedError
from clconv.frontend.onnx.files import Origin
from clconv.graph.ir import Constant, DType, TensorSpec

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
        flat = _external(tensor, what, math.prod(shape), dtype, origin)
    elif tensor.HasField("raw_data"):
        flat = _raw(tensor.raw_data, what, shape, dtype)
    else:
        flat = _typed(tensor, what, shape, dtype)
    return flat.reshape(shape)


def read_constant(tensor: TensorProto, name: str, origin: Origin) -> Constant:
    """The tensor as a constant: read again when needed if it was left out of the parsed model.

    Raises what read_tensor does.
    """
    span = origin.weights.get(tensor.name)
    given = tensor.HasField("raw_data") or any(len(getattr(tensor, f)) for f, _ in _FIELDS.values())
    if span is None or given or tensor.data_location == TensorProto.EXTERNAL:
        return Constant(read_tensor(tensor, name, origin))
    what = f"{origin.label}: tensor '{name}'"
    dtype, shape = _checked(tensor, what)
    expected = math.prod(shape) * dtype.itemsize
    if span.length != expected:
        raise _wrong_length(what, shape, dtype, expected, span.length)

    def read() -> np.ndarray:
        return _native(span.read().view(_little_endian(dtype)), dtype).reshape(shape)

    return Constant.reread(TensorSpec(shape, dtype), read)


def _checked(tensor: TensorProto, what: str) -> tuple[DType, tuple[int, ...]]:
    """Element type and shape, neither of them absurd."""
    dtype = dtype_of(tensor.data_type, what)
    if tensor.HasField("segment"):
        raise UnsupportedError(f"{what} is stored in segments")
    shape = tuple(tensor.dims)
    if any(d < 0 for d in shape):
        raise ModelError(f"{what} has a negative size: {shape}")
    if math.prod(shape) * dtype.itemsize > sys.maxsize:
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


def read_external(tensor: TensorProto, what: str, count: int, origin: Origin) -> np.ndarray:
    """So many bytes of a tensor's external file."""
    return _external(tensor, what, count, DType.UINT8, origin)


def _external(
    tensor: TensorProto, what: str, count: int, dtype: DType, origin: Origin
) -> np.ndarray:
    entries = {e.key: e.value for e in tensor.external_data}
    location = entries.get("location", "")
    if origin.folder is None:
        raise ModelError(
            f"{what} lies in the external file {location!r}, which bytes cannot lead to: "
            "import the model by its path"
        )
    path = _inside(location, what, origin.folder)
    offset = _whole_number(entries, "offset", what, 0)
    expected = count * dtype.itemsize
    length = _whole_number(entries, "length", what, expected)
    if length != expected:
        raise ModelError(
            f"{what} of shape {tuple(tensor.dims)} and type {dtype.value} needs {expected} bytes, "
            f"its external data says {length}"
        )
    try:
        size = path.stat().st_size
        if offset + length > size:
            raise ModelError(
                f"{what}: external file {path} is too short: {size} bytes, "
                f"{offset + length} are needed"
            )
        with path.open("rb") as file:
            array = np.fromfile(file, _little_endian(dtype), count, offset=offset)
    except OSError as reason:
        raise ModelError(
            f"{what}: external file {path} cannot be read: {reason.strerror or reason}"
        ) from None
    if array.size != count:
        raise ModelError(f"{what}: external file {path} became shorter while it was read")
    return _native(array, dtype)


def _inside(location: str, what: str, folder: Path) -> Path:
    """The external file, which must lie in the model's own folder, symbolic links resolved."""
    parts = location.replace("\\", "/").split("/")
    if not location or "\0" in location:
        raise ModelError(f"{what}: external data has no usable location ({location!r})")
    if location.startswith(("/", "\\")) or parts[0].endswith(":") or ".." in parts:
        raise ModelError(
            f"{what}: external data {location!r} must be a relative path inside the model's folder"
        )
    try:
        path, home = (folder / location).resolve(), folder.resolve()
        exists = path.is_file()
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as reason:  # a loop of links, a name that is too long
        raise ModelError(f"{what}: external file {location!r}: {reason}") from None
    if not path.is_relative_to(home):
        raise ModelError(f"{what}: external file {location!r} leads out of the model's folder")
    if not exists:
        raise ModelError(f"{what}: external file {path} does not exist")
    return path


def _whole_number(entries: dict[str, str], key: str, what: str, default: int) -> int:
    text = entries.get(key, "") or str(default)
    if not (text.isascii() and text.isdigit()):
        raise ModelError(f"{what}: external data has the {key} {text!r}, not a whole number")
    return int(text)


def write_tensor(array: np.ndarray, name: str) -> onnx.TensorProto:
    """A TensorProto that holds the array as raw, little-endian data."""
    dtype = DType.of(array)
    tensor = TensorProto(name=name, data_type=ENUMS[dtype], dims=array.shape)
    tensor.raw_data = np.ascontiguousarray(array, _little_endian(dtype)).tobytes()
    return tensor

"""onnxruntime's names of tensor types, and what it tells of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import DType, TensorSpec

_NAMES = {DType.FLOAT32: "float", DType.FLOAT64: "double"}
# ONNX's numbers of types (TensorProto.DataType), without importing onnx.
_NUMBERS = {
    DType.FLOAT32: 1, DType.UINT8: 2, DType.INT8: 3, DType.UINT16: 4, DType.INT16: 5, DType.INT32: 6, DType.INT64: 7,
    DType.BOOL: 9, DType.FLOAT16: 10, DType.FLOAT64: 11, DType.UINT32: 12, DType.UINT64: 13,
}  # fmt: skip


def type_name(dtype: DType) -> str:
    """Such as "tensor(float)"."""
    return f"tensor({_NAMES.get(dtype, dtype.value)})"


def type_number(dtype: DType) -> int:
    """ONNX's number, such as onnx.TensorProto.FLOAT."""
    return _NUMBERS[dtype]


def element_dtype(element_type: Any) -> np.dtype[Any]:
    """NumPy's type of what packages name one by: NumPy's own, or ONNX's number. Raises InputError."""
    try:
        if isinstance(element_type, int):
            return next(d.numpy for d, number in _NUMBERS.items() if number == element_type)
        return np.dtype(element_type)
    except (StopIteration, TypeError):
        raise InputError(
            f"{element_type!r} is no element type; give NumPy's, or ONNX's number of one of "
            f"{', '.join(d.value for d in _NUMBERS)}"
        ) from None


@dataclasses.dataclass(frozen=True)
class NodeArg:
    """An input or output: name, type such as "tensor(float)", sizes (a name or None where it is open)."""

    name: str
    type: str
    shape: list[int | str | None]


def node_arg(name: str, spec: TensorSpec | None, sizes: Mapping[str, int]) -> NodeArg:
    """sizes: what is known of sizes that have a name."""
    if spec is None:
        return NodeArg(name, "", [])
    shape = [sizes.get(d, d) if isinstance(d, str) else d for d in spec.shape]
    return NodeArg(name, type_name(spec.dtype), shape)


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """What the model's file says of itself."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: dict[str, str] = dataclasses.field(default_factory=dict)

"""onnxruntime's names of tensor types."""

from __future__ import annotations

from clconv.graph.ir import DType

_NAMES = {DType.FLOAT32: "float", DType.FLOAT64: "double"}


def type_name(dtype: DType) -> str:
    """Such as "tensor(float)"."""
    return f"tensor({_NAMES.get(dtype, dtype.value)})"

"""The protocol's names of element types, and how their elements lie in a body: little-endian, row-major."""

from __future__ import annotations

from typing import Any

import numpy as np

from clconv.graph.ir import DType

NAMES: dict[DType, str] = {
    DType.BOOL: "BOOL",
    DType.UINT8: "UINT8",
    DType.UINT16: "UINT16",
    DType.UINT32: "UINT32",
    DType.UINT64: "UINT64",
    DType.INT8: "INT8",
    DType.INT16: "INT16",
    DType.INT32: "INT32",
    DType.INT64: "INT64",
    DType.FLOAT16: "FP16",
    DType.FLOAT32: "FP32",
    DType.FLOAT64: "FP64",
}


def in_body(dtype: DType) -> np.dtype[Any]:
    """NumPy's dtype of such elements in a body."""
    return dtype.numpy.newbyteorder("<")

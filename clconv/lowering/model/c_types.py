"""OpenCL's names of element types."""

from __future__ import annotations

from clconv.graph.ir import DType
from clconv.lowering.model.obstacles import computed

C_TYPES = {
    "float32": "float", "float64": "double", "float16": "half", "int64": "long", "int32": "int",
    "int16": "short", "int8": "char", "uint64": "ulong", "uint32": "uint", "uint16": "ushort",
    "uint8": "uchar", "bool": "uchar",
}  # fmt: skip


def c_type(dtype: DType) -> str:
    """OpenCL's name of the type in which kernels compute with elements of a dtype: float for halves, which
    are only stored."""
    return C_TYPES[computed(dtype).value]


# Types of the same size move alike: one kernel serves them all.
MOVE_TYPES = {1: "uchar", 2: "ushort", 4: "uint", 8: "ulong"}

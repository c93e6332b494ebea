"""Conversion of a value between layouts: plain <-> channel blocks."""

from __future__ import annotations

import math

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Cost
from clconv.lowering.model.arguments import Read, Scalar, Write
from clconv.lowering.model.kernel import Kernel, KernelCall
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


def reorder_call(source: str, target: str, before: TensorSpec, after: TensorSpec) -> KernelCall:
    """The call that converts `source` (spec before) into `target` (spec after): one of them is plain."""
    block = max(before.layout.block, after.layout.block)
    batch, channels = before.shape[:2]
    pixels = math.prod(before.shape[2:])
    kernel = Kernel.of(
        "reorder.cl.mako",
        "reorder",
        block=block,
        to_plain=after.layout.is_plain,
        type=MOVE_TYPES[before.dtype.itemsize],
    )
    blocks = -(-channels // block)
    return KernelCall(
        f"{source}:{before.layout}->{after.layout}",
        kernel,
        (
            ("x", Read(source)),
            ("y", Write(target)),
            ("channels", Scalar(channels)),
            ("pixels", Scalar(pixels)),
        ),
        (blocks, batch),
        (1, 1),
        Cost(0, before.nbytes + after.nbytes),
    )

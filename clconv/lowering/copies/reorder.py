"""Conversion of a value between layouts: plain <-> channel blocks."""

from __future__ import annotations

import math

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Cost
from clconv.lowering.model.arguments import Read, Scalar, Write
from clconv.lowering.model.c_types import MOVE_TYPES
from clconv.lowering.model.call import Kernel, KernelCall


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

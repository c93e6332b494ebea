"""Filling memory with one value, and how much of a flat kernel's work one item does."""

from __future__ import annotations

from typing import Any

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Scalar
from clconv.lowering.model.c_types import MOVE_TYPES
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Problem


def element_chunk(problem: Problem, total: int, least: int = 4096) -> int:
    """Elements of one item of a flat kernel: one on a GPU, else enough that items are few and large."""
    if not problem.device.is_cpu:
        return max(1, -(-total // (1 << 30)))
    return max(least, -(-total // (8 * problem.device.compute_units)))


def bits(value: Any, dtype: DType) -> int:
    """The bit pattern of a number of that dtype, as an unsigned integer."""
    return int(np.asarray(value).astype(dtype.numpy).view(f"u{dtype.itemsize}"))


def fill_call(
    problem: Problem,
    target: Argument,
    value: Any,
    count: int,
    dtype: DType,
    offset: int = 0,
    step: int = 1,
) -> KernelCall:
    """Writes one value `count` times, from element `offset` on, `step` elements apart."""
    itemsize = dtype.itemsize
    width = min(16, 32 // itemsize) if problem.device.is_cpu and step == 1 else 1
    kernel = Kernel.of("movement/fill.cl.mako", "fill", type=MOVE_TYPES[itemsize], width=width)
    chunk = element_chunk(problem, count)
    arguments: list[tuple[str, Argument]] = [
        ("y", target),
        ("offset", Scalar(offset, "long")),
        ("step", Scalar(step, "long")),
        ("value", Scalar(bits(value, dtype), "ulong")),
        ("total", Scalar(count, "long")),
        ("chunk", Scalar(chunk, "long")),
    ]
    return problem.call(kernel, arguments, (-(-count // chunk),))

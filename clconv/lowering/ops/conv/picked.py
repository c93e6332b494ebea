"""Pixels that windows of one pixel with strides read, copied side by side: a pointwise convolution is left.

A direct convolution looks each of them up once for every block of filters, in as many instructions as a block of channels
has loads, and its tiles end with the rows. The copy reads and writes each once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from clconv.graph.ir import DType
from clconv.lowering.copies.boxes import Copy, CopyLoop
from clconv.lowering.copies.strided import copy_call
from clconv.lowering.model.arguments import Argument, Read, Write
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.conv.shape import ConvShape
from clconv.records import record


@record(frozen=True)
class Pixels:
    """What a direct convolution reads: the convolution that is left, its input, and what makes that."""

    shape: ConvShape
    argument: Argument
    calls: tuple[KernelCall, ...] = ()
    scratch: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, shape: ConvShape) -> Pixels:
        """The input as it is, unless a copy of its pixels is read more than once."""
        block = problem.device.vector_width
        is_read_again = shape.filters // shape.group > 2 * block
        is_strided = shape.kernel == (1, 1) and not shape.is_pointwise and not any(shape.pads)
        layout, dtype = problem.x.layout, problem.x.dtype
        if not is_strided or not is_read_again or layout.is_plain or dtype is not DType.FLOAT32:
            return cls(shape, problem.argument(0))
        name = f"{problem.node.name}/pixels"
        blocks = shape.batch * -(-shape.channels // block)
        pixels = math.prod(shape.out)
        if not blocks * pixels:
            return cls(shape, problem.argument(0))
        (height, width), (down, across) = shape.size, shape.strides
        copy = Copy(
            (
                CopyLoop(blocks, height * width * block, pixels * block),
                CopyLoop(shape.out[0], down * width * block, shape.out[1] * block),
                CopyLoop(shape.out[1], across * block, block),
                CopyLoop(block, 1, 1),
            )
        )
        call = copy_call(problem, copy, problem.argument(0), Write(name), 4, block)
        dense = dataclasses.replace(shape, size=(1, pixels), out=(1, pixels), strides=(1, 1))
        return cls(dense, Read(name), (call,), {name: 4 * blocks * pixels * block})

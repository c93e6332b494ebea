"""QuantizeLinear of pictures for the first convolution on bytes, which reads the channels of a pixel side by side."""

from __future__ import annotations

import math

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.ops.quantised.bytes.shape import FEW_CHANNELS, bytes_obstacle
from clconv.lowering.shared.work_split import elements_per_item, items


def _applies(problem: Problem) -> str | None:
    x, scale, y = problem.x, problem.input(1), problem.y
    if (x.dtype, scale.dtype, y.dtype) != (DType.FLOAT32, DType.FLOAT32, DType.UINT8):
        return "needs float32 to become uint8"
    if x.rank not in (3, 4) or not 1 <= x.shape[1] <= FEW_CHANNELS:
        return f"needs pictures of {FEW_CHANNELS} channels or fewer"
    if scale.size != 1 or problem.node.attrs.block_size:
        return "needs one scale for all elements"
    if math.prod(x.shape[2:]) >= 1 << 29:
        return "counts the bytes of an image in 31 bits"
    return bytes_obstacle(problem)


def _signatures(problem: Problem) -> list[Signature]:
    return [Signature((PLAIN,) * len(problem.inputs), (Layout(FEW_CHANNELS),))]


def _lower(problem: Problem) -> Lowered:
    x, pixels = problem.x, math.prod(problem.x.shape[2:])
    lanes = problem.device.vector_width
    kernel = Kernel.of(
        "quantised/bytes/quantize.cl.mako",
        "byte_quantize",
        lanes=lanes,
        channels=x.shape[1],
        zero_point=problem.has(2),
    )
    per_item = min(pixels, elements_per_item(problem.device, x.shape[0] * pixels, lanes))
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("scale", problem.argument(1)),
        *([("zero", problem.argument(2))] if problem.has(2) else []),
        ("y", Write(problem.node.outputs[0])),
        ("pixels", Scalar(pixels)),
        ("per_item", Scalar(per_item)),
    ]
    return Lowered((problem.call(kernel, arguments, (items(pixels, per_item), x.shape[0])),))


# Only where bytes are multiplied anyhow: to others its layout is of no use.
register(Variant("QuantizeLinear", "picture", _applies, _lower, _signatures))

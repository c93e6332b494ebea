"""Turning elements of one dtype into another: the text, and the launch."""

from __future__ import annotations

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Scalar
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.ctext import saturated
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.obstacles import computed
from clconv.lowering.shared.work_split import elements_per_item, items


def conversion(source: DType, target: DType) -> str:
    """C text that turns `value` of one dtype into another, as numeric.converted does in NumPy."""
    if target is DType.BOOL:
        return "value != 0"
    if target is DType.FLOAT16:
        return "(float)value"
    if target is DType.INT64 and source in (DType.FLOAT32, DType.FLOAT16):
        return "clconv_long(value)"
    if source.is_float and not target.is_float:
        return saturated("value", computed(source), target)
    return f"({C_TYPES[target.value]})value"


def cast_call(
    problem: Problem, x: Argument, source: DType, y: Argument, target: DType, total: int
) -> KernelCall:
    """The launch that turns `total` elements of one dtype into another."""
    halved = {source, target} == {DType.FLOAT16, DType.FLOAT32}
    width = problem.device.vector_width if halved and problem.device.is_cpu else 1
    # Registers of 64 bytes are those of AVX-512, which has instructions between float and long, and masks for bools.
    is_narrow = problem.device.is_cpu and 1 < problem.device.vector_width < 16
    kernel = Kernel.of(
        "elementwise/cast.cl.mako",
        "cast",
        source=C_TYPES[source.value],
        target=C_TYPES[target.value],
        conversion=conversion(source, target),
        width=width,
        by_int=is_narrow and {source, target} == {DType.INT64, DType.FLOAT32},
        to_bool=is_narrow and (source, target) == (DType.FLOAT32, DType.BOOL),
    )
    per_item = elements_per_item(problem.device, total, width)
    arguments: list[tuple[str, Argument]] = [
        ("x", x),
        ("y", y),
        ("total", Scalar(total, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    return problem.call(kernel, arguments, (items(total, per_item),))

"""Variants of QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear: one pass over the elements."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.graph.ir import PLAIN, DType, Layout, TensorSpec
from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import (
    Lowered,
    Problem,
    Signature,
    Variant,
    plain_signature,
    register,
)
from clconv.lowering.model.obstacles import double_obstacle, has_double
from clconv.lowering.shared.composite import Composite, Value
from clconv.lowering.shared.work_split import elements_per_item, items


def exact_quotient(device: DeviceInfo, compute: str = "float") -> str:
    """C text of a / b rounded to nearest: what is rounded to an integer next must not be off by one bit.

    OpenCL allows an error of 2.5 units in the last place. CPUs divide exactly; elsewhere the quotient of
    doubles, rounded to float, is exact (Figueroa 1995: twice the bits and two are enough).
    """
    if compute == "double" or device.is_cpu or not has_double(device):
        return "a / b"
    return "((float)((double)a / (double)b))"


def _walk(problem: Problem, x: TensorSpec, scale: TensorSpec) -> list[tuple[str, Argument]]:
    """Arguments that say which scale belongs to which element; see places.mako."""
    at, shape = problem.node.attrs, x.shape
    length, inner, block, steps = 1, max(1, x.size), 1, (0, 0, 0)
    if scale.size > 1 or at.block_size:
        axis = at.axis % x.rank
        length, inner = shape[axis], math.prod(shape[axis + 1 :])
        steps = (0, 1, 0)
        if at.block_size:
            block = at.block_size
            steps = (scale.shape[axis] * inner, inner, 1)
    return _places(problem, x.size, length, inner, block, steps)


def _places(
    problem: Problem, total: int, length: int, inner: int, block: int, steps: Sequence[int]
) -> list[tuple[str, Argument]]:
    return [
        ("length", Scalar(length)),
        ("inner", Scalar(inner)),
        ("block", Scalar(block)),
        *(
            (name, Scalar(step, "long"))
            for name, step in zip(("scale_outer", "scale_axis", "scale_inner"), steps, strict=True)
        ),
        ("total", Scalar(total, "long")),
        ("per_item", Scalar(elements_per_item(problem.device, total), "long")),
    ]


def _compute(*dtypes: DType) -> str:
    return "double" if DType.FLOAT64 in dtypes else "float"


def _varied(problem: Problem, scale: TensorSpec) -> bool:
    """Whether scales differ within a run of elements behind `axis`; see places.mako."""
    return bool(problem.node.attrs.block_size) if scale.size > 1 else False


def _quantize_kernel(
    problem: Problem, x: TensorSpec, scale: TensorSpec, y: TensorSpec, zero_point: bool
) -> Kernel:
    compute = _compute(x.dtype, scale.dtype)
    limits = np.iinfo(y.dtype.numpy)
    return Kernel.of(
        "quantised/quantize.cl.mako",
        "quantize",
        source=C_TYPES[x.dtype.value],
        scale_type=C_TYPES[scale.dtype.value],
        compute=compute,
        target=C_TYPES[y.dtype.value],
        quotient=exact_quotient(problem.device, compute),
        # The quotient has the precision of its operands, and twice a half's bits and two is what a float has.
        half_quotient=x.dtype is scale.dtype is DType.FLOAT16,
        zero_point=zero_point,
        varied=_varied(problem, scale),
        low=int(limits.min),
        high=int(limits.max),
    )


def _any_layout(problem: Problem) -> list[Signature]:
    """One scale for all elements serves them wherever they lie."""
    plain = plain_signature(problem)
    if not problem.device.is_cpu or problem.x.rank < 3 or problem.input(1).size > 1:
        return plain
    if problem.device.vector_width == 1 or problem.node.attrs.block_size or not problem.y.size:
        return plain
    blocked = Layout(problem.device.vector_width)
    others = (PLAIN,) * (len(problem.inputs) - 1)
    return [Signature((blocked, *others), (blocked,)), *plain]


def _flat(problem: Problem, kernel: Kernel) -> Lowered:
    """One launch over all elements, with each one's scale and zero point."""
    x = dataclasses.replace(problem.x, shape=problem.x.layout.physical(problem.x.shape))
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("scale", problem.argument(1)),
        *([("zero", problem.argument(2))] if problem.has(2) else []),
        ("y", Write(problem.node.outputs[0])),
        *_walk(problem, x, problem.input(1)),
    ]
    size = items(x.size, elements_per_item(problem.device, x.size))
    return Lowered((problem.call(kernel, arguments, (size,)),))


def _quantize_lower(problem: Problem) -> Lowered:
    x, scale, y = problem.x, problem.input(1), problem.y
    if not y.size:
        return Lowered()
    return _flat(problem, _quantize_kernel(problem, x, scale, y, problem.has(2)))


def _dequantize_lower(problem: Problem) -> Lowered:
    x, scale, y = problem.x, problem.input(1), problem.y
    if not y.size:
        return Lowered()
    kernel = Kernel.of(
        "quantised/dequantize.cl.mako",
        "dequantize",
        source=C_TYPES[x.dtype.value],
        scale_type=C_TYPES[scale.dtype.value],
        compute=_compute(scale.dtype, y.dtype),
        target=C_TYPES[y.dtype.value],
        difference="long" if x.dtype is DType.INT32 else "int",
        zero_point=problem.has(2),
        varied=_varied(problem, scale),
    )
    return _flat(problem, kernel)


def quantize_range(
    problem: Problem, composite: Composite, x: Value, y: Value, scale: Value, zero: Value
) -> None:
    """Adds the launch that quantises all of x by a scale and a zero point that launches before it write."""
    total = x.spec.size
    kernel = _quantize_kernel(problem, x.spec, scale.spec, y.spec, True)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("scale", Read(scale.name)),
        ("zero", Read(zero.name)),
        ("y", Write(y.name)),
        *_places(problem, total, 1, total, 1, (0, 0, 0)),
    ]
    size = items(total, elements_per_item(problem.device, total))
    composite.call(problem.call(kernel, arguments, (size,)))


register(Variant("QuantizeLinear", "flat", double_obstacle, _quantize_lower, _any_layout))
register(Variant("DequantizeLinear", "flat", double_obstacle, _dequantize_lower, _any_layout))

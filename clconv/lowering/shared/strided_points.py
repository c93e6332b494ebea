"""Point by point where operands broadcast: each operand has its own strides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import (
    Argument,
    Read,
    Scalar,
    Write,
)
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.lowering.model.obstacles import computed
from clconv.lowering.shared.broadcast import Broadcast, broadcast
from clconv.lowering.shared.epilogue import TermOperand
from clconv.lowering.shared.point_work import PointWork, Shape
from clconv.lowering.shared.work_split import elements_per_item, items
from clconv.records import record


def by_strides(problem: Problem, work: PointWork) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    return Lowered((strides_call(problem, work, problem.node.outputs[0]),))


@record(frozen=True)
class _Strided:
    """An operand that is read by strides: the shape in which it broadcasts to the result's."""

    name: str
    argument: Argument
    shape: Shape
    dtype: DType


def _strided_vectors(
    problem: Problem, operands: Sequence[_Strided], walk: Broadcast
) -> tuple[int, DType]:
    """How many elements an item computes at once, and the type that it computes with."""
    compute = problem.y.dtype  # that of the operands, but for comparisons
    dtypes = [operand.dtype for operand in operands]
    floats = {computed(dtype) for dtype in (*dtypes, compute)} == {DType.FLOAT32}
    if compute is DType.BOOL:
        compute = next((d for d in dtypes if d is not DType.BOOL), DType.BOOL)
    if problem.device.is_cpu:
        return problem.device.vector_width if floats else 1, compute
    # An item computes one vector, which must not cross the end of a row.
    return 4 if floats and walk.sizes and walk.sizes[-1] % 4 == 0 else 1, compute


def strides_call(
    problem: Problem,
    work: PointWork,
    target: str,
    *,
    view: Shape | None = None,
    before: str | None = None,
    more: Mapping[str, tuple[Argument, Shape]] = MappingProxyType({}),
) -> KernelCall:
    """One broadcasting kernel that writes `target`.

    view: the output's shape with axes cut up, to which operands broadcast. before: a value of the
    output's shape that the terms start from. more: operands that are no inputs of the node, by the name of
    the variable that terms read, of the output's dtype.
    """
    y, result = problem.y, problem.y.shape if view is None else view
    # Parts of a long sum that go on alike are one kernel: their operands have the same names.
    names = {i: f"x{place if before is not None else i}" for place, i in enumerate(work.read)}
    operands = [
        _Strided(names[i], problem.argument(i), shape, problem.input(i).dtype)
        for i, shape in work.read.items()
    ]
    operands += [_Strided(name, *given, y.dtype) for name, given in more.items()]
    if before is not None:
        operands.append(_Strided("before", Read(before), result, y.dtype))
    walk = broadcast(result, [operand.shape for operand in operands])
    width, compute = _strided_vectors(problem, operands, walk)
    largest = max(y.size, *(math.prod(operand.shape) for operand in operands), 0)
    index = "int" if largest < 1 << 31 else "long"
    kernel = Kernel.of(
        "elementwise/broadcast.cl.mako",
        "elementwise_broadcast",
        rank=walk.rank,
        width=width,
        aligned=not problem.device.is_cpu,
        index=index,
        operands=tuple(
            (operand.name, c_type(operand.dtype), strides[-1])
            for operand, strides in zip(operands, walk.strides, strict=True)
        ),
        compute=c_type(compute),
        result=c_type(y.dtype),
        terms=work.terms(lambda i: TermOperand("variable", f"v_{names[i]}")),
        continues=before is not None,
    )
    per_item = elements_per_item(problem.device, y.size, 1 if problem.device.is_cpu else width)
    axes = range(walk.rank)
    arguments: list[tuple[str, Argument]] = [
        *((operand.name, operand.argument) for operand in operands),
        ("y", Write(target)),
        ("per_item", Scalar(per_item, index)),
        *((f"size{axis}", Scalar(walk.sizes[axis], index)) for axis in axes),
        *(
            (f"{operand.name}_stride{axis}", Scalar(strides[axis], index))
            for operand, strides in zip(operands, walk.strides, strict=True)
            for axis in axes[:-1]
        ),
    ]
    in_place = [operand.name for operand in operands if operand.shape == result]
    return problem.call(kernel, arguments, (items(y.size, per_item),)).reading_in_place(in_place)

"""DynamicQuantizeLinear: the range of all elements, then the elements; on CPUs in two launches, in any layout."""

from __future__ import annotations

import math

from clconv.graph.ir import PLAIN, DType, Layout, TensorSpec
from clconv.graph.ops.base import Cost
from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import (
    Lowered,
    Problem,
    Signature,
    Variant,
    plain_signature,
    register,
)
from clconv.lowering.model.obstacles import double_obstacle
from clconv.lowering.ops.quantised.quantise import exact_quotient, quantize_range
from clconv.lowering.shared.composite import Composite
from clconv.lowering.shared.fill import fill_call
from clconv.lowering.shared.work_split import elements_per_item, items

_RESULTS = (DType.UINT8, DType.FLOAT32, DType.UINT8)  # integers, scale, zero point


# --- parts


def _parts_applies(problem: Problem) -> str | None:
    if not problem.device.is_cpu or problem.device.vector_width not in (4, 8, 16):
        return "is for CPU devices with vectors"
    return None if problem.x.size else "a tensor has no elements"


def _parts_signatures(problem: Problem) -> list[Signature]:
    plain = plain_signature(problem)
    if _parts_applies(problem) is not None or problem.x.rank < 3:
        return plain
    blocked = Layout(problem.device.vector_width)
    named = [name for name in problem.node.outputs if name]
    results = (blocked if name == problem.node.outputs[0] else PLAIN for name in named)
    return [Signature((blocked,), tuple(results)), *plain]


def _parts_lower(problem: Problem) -> Lowered:
    node, lanes, x = problem.node, problem.device.vector_width, problem.x
    total = math.prod(x.layout.physical(x.shape))
    per_item = elements_per_item(problem.device, total, lanes)
    count = items(total, per_item)
    parts = f"{node.name}:parts"
    scratch = {parts: 8 * count}
    results: list[str] = []
    for i, dtype in enumerate(_RESULTS):
        name = node.outputs[i] if i < len(node.outputs) else ""
        if not name:
            name = f"{node.name}:unused{i}"
            scratch[name] = total if i == 0 else dtype.numpy.itemsize
        results.append(name)
    left = x.shape[1] % lanes if x.layout.block > 1 else 0
    sizes: list[tuple[str, Argument]] = [
        ("total", Scalar(total, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    of_blocks: list[tuple[str, Argument]] = []
    if left:
        numbers = (math.prod(x.shape[2:]), items(x.shape[1], lanes), left)
        names = ("pixels", "blocks", "left")
        of_blocks = [(n, Scalar(v)) for n, v in zip(names, numbers, strict=True)]
    look = Kernel.of(
        "quantised/dynamic_range.cl.mako", "dynamic_range", lanes=lanes, masked=bool(left)
    )
    looked: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("parts", Write(parts)),
        *sizes,
        *of_blocks,
    ]
    quantise = Kernel.of("quantised/dynamic_quantize.cl.mako", "dynamic_quantize", lanes=lanes)
    made: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("parts", Read(parts)),
        *((n, Write(name)) for n, name in zip(("y", "scale", "zero"), results, strict=True)),
        ("count", Scalar(count)),
        *sizes,
    ]
    calls = (
        problem.call(look, looked, (count,), cost=Cost()),
        problem.call(quantise, made, (count,)),
    )
    return Lowered(calls, scratch)


# --- flat


def _flat_lower(problem: Problem) -> Lowered:
    composite = Composite(problem)
    x, device = composite.input(0), problem.device
    low, high = composite.scratch("low", ()), composite.scratch("high", ())
    for op, target in (("ReduceMin", low), ("ReduceMax", high)):
        if x.spec.size:
            composite.emit(op, [x.reshaped(x.spec.size)], target, keepdims=0)
        else:
            composite.call(fill_call(problem, Write(target.name), 0, 1, DType.FLOAT32))
    place = iter(range(len(problem.outputs)))
    y, scale, zero = (
        composite.output(next(place))
        if name
        else composite.scratch("unused", spec.shape, spec.dtype)
        for name, spec in zip(
            problem.node.outputs + ("",) * (3 - len(problem.node.outputs)),
            (
                TensorSpec(x.shape, DType.UINT8),
                TensorSpec((), DType.FLOAT32),
                TensorSpec((), DType.UINT8),
            ),
            strict=True,
        )
    )
    kernel = Kernel.of("quantised/range.cl.mako", "quantise_range", quotient=exact_quotient(device))
    bounds: list[tuple[str, Argument]] = [
        ("lowest", Read(low.name)),
        ("highest", Read(high.name)),
        ("scale", Write(scale.name)),
        ("zero", Write(zero.name)),
    ]
    composite.call(problem.call(kernel, bounds, (1,), cost=Cost()))
    if x.spec.size:
        quantize_range(problem, composite, x, y, scale, zero)
    return composite.lowered()


register(
    Variant("DynamicQuantizeLinear", "parts", _parts_applies, _parts_lower, _parts_signatures),
    Variant("DynamicQuantizeLinear", "flat", double_obstacle, _flat_lower),
)

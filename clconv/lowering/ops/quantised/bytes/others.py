"""What lies between convolutions on bytes: the mean of all pixels, functions by table, sums and products."""

from __future__ import annotations

import math

from clconv.graph.ir import PLAIN
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import (
    Lowered,
    Problem,
    Signature,
    Variant,
    always,
    plain_signature,
    register,
)
from clconv.lowering.ops.quantised.bytes.shape import byte_layout, bytes_obstacle, dot_of
from clconv.lowering.shared.work_split import elements_per_item, items, nested


def _blocked_applies(problem: Problem) -> str | None:
    if problem.x.rank < 3:
        return "channel blocks need rank 3 or more"
    if problem.device.is_cpu:
        return bytes_obstacle(problem, dot=False)
    return None if dot_of(problem) and problem.y.size else "nothing is in fours of channels"


def _either(problem: Problem, *blocked: int) -> list[Signature]:
    """These inputs and the result in channel blocks, or all plain."""
    plain = plain_signature(problem)
    if _blocked_applies(problem) is not None:
        return plain
    layout = byte_layout(problem.device)
    inputs = tuple(layout if i in blocked else PLAIN for i in range(len(problem.inputs)))
    return [Signature(inputs, (layout,)), *plain]


# --- ByteAveragePool


def _average_lower(problem: Problem) -> Lowered:
    x = problem.x
    if not problem.y.size:
        return Lowered()
    lanes = x.layout.block
    kernel = Kernel.of("quantised/bytes/average.cl.mako", "byte_average", lanes=lanes)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("numbers", problem.argument(1)),
        ("y", Write(problem.node.outputs[0])),
        ("pixels", Scalar(math.prod(x.shape[2:]))),
    ]
    size = (items(x.shape[1], lanes), x.shape[0])
    return Lowered((problem.call(kernel, arguments, size),))


def _average_rounds(problem: Problem) -> int:
    return nested(1, math.prod(problem.x.shape[2:]), 1)


# --- ByteTable


def _table_lower(problem: Problem) -> Lowered:
    total = problem.y.nbytes
    if not total:
        return Lowered()
    per_item = elements_per_item(problem.device, total)
    kernel = Kernel.of("quantised/bytes/table.cl.mako", "byte_table")
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("table", problem.argument(1)),
        ("y", Write(problem.node.outputs[0])),
        ("total", Scalar(total, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (items(total, per_item),)),))


# --- ByteAdd, ByteMul


def _combine_lower(problem: Problem) -> Lowered:
    x, lanes = problem.x, problem.x.layout.block
    if not x.size:
        return Lowered()
    each_channel = problem.input(1).shape != x.shape
    planes, pixels = 1, problem.y.nbytes // lanes
    if each_channel:
        planes = x.shape[0] * items(x.shape[1], lanes)
        pixels //= planes
    kernel = Kernel.of(
        "quantised/bytes/combine.cl.mako",
        "byte_combine",
        lanes=lanes,
        product=problem.node.op == "ByteMul",
        each_channel=each_channel,
    )
    per_item = max(1, elements_per_item(problem.device, pixels * planes * lanes) // lanes)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("other", problem.argument(1)),
        ("numbers", problem.argument(2)),
        ("y", Write(problem.node.outputs[0])),
        ("pixels", Scalar(pixels, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    size = (items(pixels, per_item), planes)
    return Lowered((problem.call(kernel, arguments, size),))


register(
    Variant(
        "ByteAveragePool", "pixels", always, _average_lower, lambda p: _either(p, 0),
        rounds=_average_rounds,
    ),
    Variant("ByteTable", "table", always, _table_lower, lambda p: _either(p, 0)),
    Variant("ByteAdd", "flat", always, _combine_lower, lambda p: _either(p, 0, 1)),
    Variant("ByteMul", "flat", always, _combine_lower, lambda p: _either(p, 0, 1)),
)  # fmt: skip

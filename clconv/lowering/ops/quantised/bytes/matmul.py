"""ByteMatMulToFloat on CPUs that multiply bytes: a register tile over packed columns."""

from __future__ import annotations

import math

from clconv.graph.ops.quantised.bytes_to_float import W
from clconv.lowering.model.arguments import Scalar
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.ops.quantised.bytes import ends
from clconv.lowering.ops.quantised.bytes.real_simple import real_simple
from clconv.lowering.ops.quantised.bytes.shape import bytes_obstacle, conv_weights, tile_of
from clconv.lowering.ops.quantised.bytes.tiles import tiles
from clconv.lowering.shared.blocked import rows_per_item
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.work_split import items


def _applies(problem: Problem) -> str | None:
    obstacle = bytes_obstacle(problem) or ends.obstacle(problem)
    if obstacle:
        return obstacle
    if max(problem.x.size, problem.y.size) >= 1 << 31 or not problem.x.size:
        return "needs elements, fewer than 2^31"
    kinds = {o.kind for term in plan_epilogue(problem).terms for o in term.operands}
    if "channel" in kinds and problem.y.rank != 2:
        return "needs operands of the epilogue that follow the columns"
    return None


def _lower(problem: Problem) -> Lowered:
    device, (columns, inner) = problem.device, problem.input(W).shape
    rows, lanes = math.prod(problem.x.shape[:-1]), device.vector_width
    vectors, tile_rows = tile_of(device.registers, items(columns, lanes), rows)
    width = vectors * lanes
    kernel = Kernel.of(
        "quantised/bytes/matmul.cl.mako",
        "byte_matmul",
        lanes=lanes,
        vectors=vectors,
        tile_rows=tile_rows,
        **{n: v for n, v in ends.parameters(problem).items() if n in _PARAMETERS},
    )
    chunks = items(columns, width)
    per_item = rows_per_item(problem, items(rows, tile_rows), chunks) * tile_rows
    packing = conv_weights(4 * items(inner, 4), width, 1)
    arguments = [
        *ends.operands(problem, problem.packed(W, packing), width, 1),
        ("rows", Scalar(rows)),
        ("inner", Scalar(inner)),
        ("columns", Scalar(columns)),
        ("per_item", Scalar(per_item)),
        *ends.epilogue_arguments(problem),
    ]
    return Lowered((problem.call(kernel, arguments, (items(rows, per_item), chunks)),))


_PARAMETERS = ("dot", "added", "epilogue", "epilogue_names")

register(
    Variant("ByteMatMulToFloat", "rows", _applies, _lower),
    tiles("ByteMatMulToFloat"),
    real_simple("ByteMatMulToFloat"),
)

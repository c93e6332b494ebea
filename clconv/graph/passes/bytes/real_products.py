"""Products of a value on a grid whose results are on none, such as those of a network: ByteConvToFloat, ByteMatMulToFloat."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.graph.epilogue import without_epilogue
from clconv.graph.ir import Constant, DType, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes.bytes.grid import Weights
from clconv.graph.passes.bytes.to_float import as_matrix

if TYPE_CHECKING:
    from clconv.graph.passes.bytes.place import Placer

_MOST = 1 << 31  # of a sum


def real_product(
    placer: Placer, node: Node, weights: Weights | None, bias: np.ndarray | None
) -> list[Node] | None:
    """Writes a Conv, Gemm or MatMul whose weights were bytes, if a kernel takes it; the nodes that are left to place, of its
    epilogue. None if nothing was written."""
    x = node.inputs[0]
    if weights is None or x not in placer.grids:
        return None
    values = weights.values
    taps = math.prod(values.spec.shape[1:])
    if not values.spec.size or 255 * 128 * taps >= _MOST:
        return None
    grid, is_conv = placer.grids[x], node.op == "Conv"
    window = ("strides", "dilations", "pads", "group") if is_conv else ()
    attrs: dict[str, Any] = {name: node.attrs[name] for name in window}
    op = "ByteConvToFloat" if is_conv else "ByteMatMulToFloat"
    values = values if is_conv else as_matrix(values)
    known = {
        "zero": Constant(np.array(grid.zero, np.uint8)),
        "bytes": values,
        "scale": Constant(np.array(grid.scale, np.float32)),
        "multiplier": Constant(weights.scale.astype(np.float32)),
        **({} if bias is None else {"bias": Constant(bias.astype(np.float32))}),
    }
    specs = {"x": TensorSpec(placer.specs[x].shape, DType.UINT8)}
    bare, *rest = without_epilogue(node, placer.fresh)
    (result,) = bare.outputs
    specs["y"] = TensorSpec(placer.specs[node.outputs[0]].shape)
    if not placer.takes(make_node(op, ["x", *known], ["y"], node.name, **attrs), specs, known):
        return None
    for one in (bare, *rest):
        placer.specs[one.outputs[0]] = placer.specs[node.outputs[0]]
    names = [placer.constant(value, f"{node.name}/{what}") for what, value in known.items()]
    placer.emit(make_node(op, [placer.on_bytes(x), *names], [result], node.name, **attrs))
    placer.products += 1
    return rest

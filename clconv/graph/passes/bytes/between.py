"""What lies between products, on bytes: means of all pixels, sums and products of two values, functions of one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Node
from clconv.graph.passes.bytes.grid import CutOff, Grid, numbers_of

if TYPE_CHECKING:
    from clconv.graph.passes.bytes.place import Placer


def mean_on_bytes(placer: Placer, maker: Node, grid: Grid) -> str:
    """Writes a mean of all pixels of bytes, whose result is on a grid; the name of its bytes, "" if it is none."""
    x = maker.inputs[0]
    if not _is_mean_of_pixels(placer, maker) or not placer.has_bytes(x):
        return ""
    of_x, pixels = placer.grids[x], math.prod(placer.specs[x].shape[2:])
    if pixels * max(of_x.zero, 1) >= 1 << 24:  # what float32 counts
        return ""
    other = (pixels * of_x.zero, of_x.scale / (pixels * grid.scale))
    numbers = numbers_of((), other, CutOff().ends(grid), grid.zero)
    inputs = [placer.on_bytes(x), placer.constant(numbers, f"{x}/numbers")]
    mean = placer.node("ByteAveragePool", inputs, f"{x}/mean")
    shape = placer.specs[maker.outputs[0]].shape
    if shape == placer.specs[mean].shape:
        return mean
    sizes = placer.constant(np.array(shape, np.int64), f"{x}/shape")
    return placer.node("Reshape", [mean, sizes], f"{x}/mean")


def _is_mean_of_pixels(placer: Placer, maker: Node) -> bool:
    if maker.op == "GlobalAveragePool":
        return True
    if maker.op != "ReduceMean" or len(maker.inputs) < 2:
        return False
    rank, axes = placer.specs[maker.inputs[0]].rank, placer.constants.get(maker.inputs[1])
    if axes is None or rank < 3:
        return False
    return sorted(int(a) % rank for a in axes.array.reshape(-1)) == list(range(2, rank))


def combined_on_bytes(placer: Placer, maker: Node, grid: Grid) -> str:
    """Writes a sum or product of two values on grids, whose result is on a grid: both of one shape, or one with a factor for
    each channel. The name of its bytes, "" if there is no such operator."""
    if maker.op not in ("Add", "Mul") or len(maker.inputs) != 2:
        return ""
    a, b = maker.inputs
    if a == b or not all(n in placer.grids for n in (a, b)):
        return ""
    if placer.specs[a].size < placer.specs[b].size:
        a, b = b, a
    shape, other = placer.specs[a].shape, placer.specs[b].shape
    each_channel = (*shape[:2], *(1,) * (len(shape) - 2))
    if not placer.has_bytes(a) or len(shape) < 3:
        return ""
    if other != shape and not (maker.op == "Mul" and other == each_channel):
        return ""
    of_a, of_b = placer.grids[a], placer.grids[b]
    if maker.op == "Add":
        first, second = (of_a.zero, of_a.scale / grid.scale), of_b.scale / grid.scale
    else:
        first, second = (of_a.zero, 0.0), of_a.scale * of_b.scale / grid.scale
    numbers = numbers_of(first, (of_b.zero, second), CutOff().ends(grid), grid.zero)
    inputs = [placer.on_bytes(a), placer.on_bytes(b), placer.constant(numbers, f"{a}/numbers")]
    return placer.node(f"Byte{maker.op}", inputs, f"{maker.outputs[0]}/bytes")


def curve_of(placer: Placer, node: Node) -> tuple[str, np.ndarray] | None:
    """What an element-wise node makes of one value on a grid, and of constants of one number: the value, and the result for
    each of its bytes; None if it reads anything else."""
    sources: set[str] = set()
    arrays: list[np.ndarray | None] = []
    for name in node.inputs:
        constant = placer.constants.get(name)
        if not name:
            arrays.append(None)
        elif constant is not None and constant.spec.size == 1:
            arrays.append(constant.array.reshape(()))
        elif name in placer.curves or name in placer.grids:
            source, reals = placer.curves.get(name) or (name, placer.grids[name].reals)
            sources.add(source)
            arrays.append(reals)
        else:
            return None
    if len(sources) != 1 or not node.outputs[0] or node.epilogue:
        return None
    reals = evaluate_node(node, arrays)[0]
    if reals.shape != (256,) or reals.dtype != np.float32:
        return None
    return sources.pop(), reals

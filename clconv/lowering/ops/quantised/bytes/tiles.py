"""Products of bytes on GPUs that have instructions for four at a time: tiles through local memory, of convolutions, and of
matrices as convolutions of single pixels."""

from __future__ import annotations

import math

import numpy as np

from clconv.graph.ir import PLAIN, Layout
from clconv.lowering.choice.limits import size_obstacle
from clconv.lowering.model.arguments import Argument, Packing, Scalar
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant
from clconv.lowering.model.obstacles import work_group_obstacle
from clconv.lowering.ops.quantised.bytes import ends
from clconv.lowering.ops.quantised.bytes.fragments import fragments_of
from clconv.lowering.ops.quantised.bytes.shape import FEW_CHANNELS, OTHER, dot_of
from clconv.lowering.shared.blocked import image_arguments, pair
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.work_split import items

# What kernels/quantised/bytes/tiles.cl.mako is made for.
_FILTERS, _PIXELS, _QUADS, _ITEMS = 64, 64, 8, 128
_LOCAL_BYTES = 4 * _QUADS * (_FILTERS + _PIXELS + 2 * 8)  # of lines padded for a matrix instruction
_SIGNED = ("amd", "emulated signed")


def _applies(problem: Problem) -> str | None:
    device, group = problem.device, problem.node.attrs.get("group", 1)
    if device.is_cpu:
        return "local memory is of no use to CPU devices"
    if not dot_of(problem):
        return "the device was not seen to multiply bytes"
    obstacle = work_group_obstacle(device, _LOCAL_BYTES, _ITEMS)
    if obstacle:
        return obstacle
    if not problem.y.size:
        return "a tensor has no elements"
    w = ends.weights_of(problem)
    if group > 1 and (w.shape[1] % FEW_CHANNELS or w.shape[0] // group % FEW_CHANNELS):
        return "groups do not fill blocks of four channels"
    if problem.node.op == "ByteMatMulToFloat" and w.shape[1] % FEW_CHANNELS:
        return "needs rows of whole fours"
    layout = Layout(FEW_CHANNELS)
    for spec in (problem.x, problem.y):
        found = size_obstacle(spec.with_layout(layout) if spec.rank > 2 else spec, device)
        if found:
            return found
    return ends.obstacle(problem)


def _signatures(problem: Problem) -> list[Signature]:
    """Fours of channels side by side."""
    matrix = problem.node.op == "ByteMatMulToFloat"
    fours = Layout(FEW_CHANNELS)
    inputs = [PLAIN] * len(problem.inputs)
    if not matrix:
        inputs[0] = fours
    if not ends.is_real(problem) and problem.has(OTHER):
        inputs[OTHER] = fours
    return [Signature(tuple(inputs), (PLAIN if ends.is_real(problem) else fours,))]


def _weights(group: int) -> Packing:
    """(group, K, filters padded to the tile) of four bytes, K window positions by fours of channels, padded to the tile."""

    def pack(w: np.ndarray) -> np.ndarray:
        filters, channels = w.shape[0] // group, w.shape[1]
        taps, quads = math.prod(w.shape[2:]), -(-channels // 4)
        full = np.zeros((group, taps, quads * 4, filters), np.int8)
        full[:, :, :channels] = w.reshape(group, filters, channels, taps).transpose(0, 3, 2, 1)
        rows = full.reshape(group, taps * quads, 4, filters).transpose(0, 1, 3, 2)
        ends_at = (-(taps * quads) % _QUADS, -filters % _FILTERS)
        padded = np.pad(rows, ((0, 0), (0, ends_at[0]), (0, ends_at[1]), (0, 0)))
        return np.ascontiguousarray(padded.reshape(-1))

    return Packing("bytes.tiles", (group,), pack)


def _lower(problem: Problem) -> Lowered:
    at, w, x = problem.node.attrs, ends.weights_of(problem), problem.x
    group, dot, one = at.get("group", 1), dot_of(problem), (1, 1)
    size = out = kernel_size = strides = dilations = one
    begin, batch = (0, 0), math.prod(x.shape[:-1])
    if problem.node.op != "ByteMatMulToFloat":
        size, out = pair(x.shape[2:], 1), pair(problem.y.shape[2:], 1)
        kernel_size, strides = pair(w.shape[2:], 1), pair(at.strides, 1)
        dilations, batch = pair(at.dilations, 1), x.shape[0]
        begin = pair(at.pads[: x.rank - 2], 0)
    filters = w.shape[0] // group
    kernel = Kernel.of(
        "quantised/bytes/tiles.cl.mako",
        "byte_tiles",
        quads=items(w.shape[1], 4),
        filters=filters,
        kernel=kernel_size,
        strides=strides,
        dilations=dilations,
        signed=dot in _SIGNED,
        matrix=fragments_of(dot),
        **ends.parameters(problem),
    )
    weights = problem.packed(ends.weights_index(problem), _weights(group))
    sums: list[tuple[str, Argument]] = []
    if dot in _SIGNED and not ends.is_real(problem):
        sums = [("sums", ends.sums_argument(problem, _FILTERS, group))]
    arguments = [
        *ends.operands(problem, weights, _FILTERS, group),
        *sums,
        *image_arguments(size, out, begin),
        *ends.zero_argument(problem),
        ("batch", Scalar(batch)),
        ("groups", Scalar(group)),
        *plan_epilogue(problem).arguments,
    ]
    tiles = items(batch * math.prod(out), _PIXELS), items(filters, _FILTERS)
    index_space = (tiles[0] * _ITEMS, tiles[1], group)
    return Lowered((problem.call(kernel, arguments, index_space, (_ITEMS, 1, 1)),))


def tiles(op: str) -> Variant:
    return Variant(op, "tiles", _applies, _lower, _signatures)

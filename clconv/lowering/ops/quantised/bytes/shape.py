"""What the kernels on bytes share: when they apply, layouts, packings of weights and of what is one for each filter."""

from __future__ import annotations

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType, Layout
from clconv.lowering.choice.limits import size_obstacle
from clconv.lowering.model.arguments import Packing
from clconv.lowering.model.kernel import Problem, Signature
from clconv.lowering.shared.blocked import blocked_signature
from clconv.lowering.shared.work_split import items

OTHER = 5  # input of ByteConv that is added
FEW_CHANNELS = 4  # that lie in blocks of four
_MOST_PIXELS = 14  # of a tile


def dot_of(problem: Problem) -> str:
    """How kernels multiply four bytes at a time, see kernels/quantised/bytes/pieces.mako; "" if they cannot."""
    device = problem.device
    return device.dot if device.dot_verified else ""


def dot_for(problem: Problem, weights: int) -> str:
    """dot_of, or, of a processor that multiplies pairs of bytes with sums in 16 bits, the faster "small" where the weights,
    a constant input, are seen to allow it: their magnitudes side by side, in order of channels, sum to 128 at most."""
    dot = dot_of(problem)
    values = problem.constant(weights)
    if dot != "words" or values is None:
        return dot
    return "small" if small_weights(values) else dot


def small_weights(w: np.ndarray) -> bool:
    """Whether 255 times two magnitudes that a packing puts side by side stays below 2^15: channels, or taps of a filter of one
    channel."""
    if w.min(initial=0) >= -64 and w.max(initial=0) <= 64:
        return True
    return w.shape[1] > 1 and all(_pairs_fit(w[i : i + 64]) for i in range(0, len(w), 64))


def _pairs_fit(w: np.ndarray) -> bool:
    size = np.abs(w.reshape(len(w), w.shape[1], -1).astype(np.int16))
    even, odd = size[:, 0::2], size[:, 1::2]
    even[:, : odd.shape[1]] += odd
    return bool(even.max() <= 128)


def bytes_obstacle(problem: Problem, dot: bool = True) -> str | None:
    """Why no kernel on blocks of bytes can run a node over (N, C, spatial...). dot: whether it multiplies by the device's
    instruction."""
    if not problem.device.is_cpu:
        return "channel blocks of bytes are for CPU devices"
    if problem.device.vector_width not in (4, 8, 16):
        return "needs vectors of 4, 8 or 16 lanes"
    if dot and not dot_of(problem):
        return "the device was not seen to multiply bytes"
    if not problem.y.size:
        return "a tensor has no elements"
    blocked = Layout(problem.device.vector_width)
    specs = (problem.x, problem.y)
    found = (size_obstacle(s.with_layout(blocked), problem.device) for s in specs if s.rank > 2)
    return next(filter(None, found), None)


def byte_layout(device: DeviceInfo) -> Layout:
    """How kernels on bytes find channels: in blocks of a vector of floats, which lie between; on GPUs in fours."""
    return Layout(device.vector_width if device.is_cpu else FEW_CHANNELS)


def block_of(channels: int, lanes: int) -> int:
    """Channels side by side in memory."""
    return FEW_CHANNELS if channels <= FEW_CHANNELS else lanes


def conv_signatures(problem: Problem) -> list[Signature]:
    lanes = problem.device.vector_width
    blocked = Layout(lanes)
    found = blocked_signature(problem, Layout(block_of(problem.x.shape[1], lanes)), blocked)
    if problem.node.op == "ByteConv" and problem.has(OTHER):
        inputs = [*found.inputs]
        inputs[OTHER] = blocked
        return [Signature(tuple(inputs), found.outputs)]
    return [found]


def tile_of(registers: int, blocks: int, width: int) -> tuple[int, int]:
    """(vectors, pixels) of a register tile: what computes least beyond what is needed and reads weights seldom."""
    found: list[tuple[float, int, int]] = []
    for vectors in range(1, min(4, blocks) + 1):
        most = min((registers - 2 - vectors) // vectors, _MOST_PIXELS, width)
        for pixels in range(max(1, most // 2), most + 1):
            waste = (
                items(width, pixels) * pixels / width * items(blocks, vectors) * vectors / blocks
            )
            # A step loads a vector of weights for each vector and broadcasts each pixel; two products at a time.
            loads = (vectors + pixels) / (vectors * pixels)
            chain = max(1.0, 10 / (vectors * pixels))
            found.append((waste * max(chain, loads) * (1 + 0.3 * loads), vectors, pixels))
    _, vectors, pixels = min(found)
    return vectors, pixels


def each_filter(dtype: DType, group: int, block: int) -> Packing:
    """One number for each filter, padded with zeros to whole blocks for each group."""

    def pack(array: np.ndarray) -> np.ndarray:
        parts = array.reshape(group, -1)
        padded = np.pad(parts, ((0, 0), (0, -parts.shape[1] % block)))
        return np.ascontiguousarray(padded.reshape(-1), dtype.numpy)

    return Packing("bytes.each", (dtype.value, group, block), pack)


def _two_dimensional(w: np.ndarray) -> np.ndarray:
    """Filters (filters, channels, height, width); a matrix is one of single pixels."""
    return w[:, :, None, :] if w.ndim == 3 else w.reshape(*w.shape, *(1,) * (4 - w.ndim))


def conv_weights(in_block: int, out_block: int, group: int, pairs: bool = False) -> Packing:
    """(group, filters / out_block, channels / in_block, kh, kw, quads, out_block, 4), zeros behind the last filter and
    channel; the last block of channels has as many quads as hold some. pairs: quads, 2, out_block, 2 at the end."""

    def pack(w: np.ndarray) -> np.ndarray:
        w = _two_dimensional(w)
        filters, channels, kh, kw = w.shape
        filters //= group
        out_blocks, quads = -(-filters // out_block), -(-channels // 4)
        full = np.zeros((group, out_blocks * out_block, quads * 4, kh, kw), np.int8)
        full[:, :filters, :channels] = w.reshape(group, filters, channels, kh, kw)
        parts = full.reshape(group, out_blocks, out_block, quads, 4, kh, kw)
        # group, out block, quad, kh, kw, filter, channel
        turned = parts.transpose(0, 1, 3, 5, 6, 2, 4)
        if pairs:
            halves = turned.reshape(*turned.shape[:5], out_block, 2, 2)
            turned = np.swapaxes(halves, 5, 6).reshape(turned.shape)
        each = in_block // 4
        runs = [
            np.moveaxis(turned[:, :, start : start + each], 2, 4).reshape(group, out_blocks, -1)
            for start in range(0, quads, each)
        ]
        return np.ascontiguousarray(np.concatenate(runs, axis=2).reshape(-1))

    return Packing("bytes.conv", (in_block, out_block, group, pairs), pack)


def depthwise_weights(lanes: int) -> Packing:
    """(channels / lanes, kh, fours, lanes, 4), zeros behind the last channel and the end of a row."""

    def pack(w: np.ndarray) -> np.ndarray:
        w = _two_dimensional(w)
        channels, _, kh, kw = w.shape
        blocks, fours = -(-channels // lanes), -(-kw // 4)
        full = np.zeros((blocks * lanes, kh, fours * 4), np.int8)
        full[:channels, :, :kw] = w[:, 0]
        parts = full.reshape(blocks, lanes, kh, fours, 4)
        return np.ascontiguousarray(parts.transpose(0, 2, 3, 1, 4).reshape(-1))

    return Packing("bytes.depthwise", (lanes,), pack)

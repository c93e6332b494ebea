"""Packings of convolution weights (filters, channels, kernel...): rearranged so that the inner loop of a
kernel reads them straight through. Data movement done once, on the host, where NumPy says it in a line."""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Packing, packed_float


def _two_dimensional(w: np.ndarray) -> np.ndarray:
    return w[:, :, None, :] if w.ndim == 3 else w


def _merged(w: np.ndarray, group: int, merged: int) -> np.ndarray:
    """Weights of `group` groups as those of `merged` times fewer, zeros between what belonged to other groups."""
    filters, channels, *kernel = w.shape
    each, filters = group // merged, filters // group
    full = np.zeros((each, merged, filters, merged, channels, *kernel), w.dtype)
    parts = w.reshape(each, merged, filters, channels, *kernel)
    for one in range(merged):
        full[:, one, :, one] = parts[:, one]
    return full.reshape(group * filters, merged * channels, *kernel)


def direct_weights(
    in_block: int, out_block: int, group: int, widen: bool, merged: int = 1
) -> Packing:
    """(group, filters / out_block, channels / in_block, kh, kw, in_block, out_block), padded with zeros.

    One more vector of out_block zeros stands at the end: what padded pixels are read from. widen: halves as
    float32. merged: how many groups of the convolution are one here.
    """

    def pack(w: np.ndarray) -> np.ndarray:
        w = _merged(_two_dimensional(w), group * merged, merged)
        kept = np.float32 if widen else packed_float(w)
        filters, channels, kh, kw = w.shape
        filters //= group
        out_blocks, in_blocks = -(-filters // out_block), -(-channels // in_block)
        full = np.zeros((group, out_blocks * out_block, in_blocks * in_block, kh, kw), kept)
        full[:, :filters, :channels] = w.reshape(group, filters, channels, kh, kw)
        parts = full.reshape(group, out_blocks, out_block, in_blocks, in_block, kh, kw)
        packed = parts.transpose(0, 1, 3, 5, 6, 4, 2).reshape(-1)
        return np.concatenate([packed, np.zeros(max(out_block, in_block), kept)])

    dtype = DType.FLOAT32 if widen else None
    return Packing("conv.direct", (in_block, out_block, group, widen, merged), pack, dtype)


def depthwise_weights(block: int) -> Packing:
    """(channels / block, kh, kw, block), padded with zeros; one more vector of zeros at the end."""

    def pack(w: np.ndarray) -> np.ndarray:
        w = _two_dimensional(w)
        channels, _, kh, kw = w.shape
        blocks = -(-channels // block)
        kept = packed_float(w)
        full = np.zeros((blocks * block, kh, kw), kept)
        full[:channels] = w[:, 0]
        packed = full.reshape(blocks, block, kh, kw).transpose(0, 2, 3, 1).reshape(-1)
        return np.concatenate([packed, np.zeros(block, kept)])

    return Packing("conv.depthwise", (block,), pack)

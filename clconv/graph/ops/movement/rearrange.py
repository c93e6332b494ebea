"""Rearranging in place: DepthToSpace, SpaceToDepth, Trilu, ReverseSequence; CumSum, CumProd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import (
    expect_index,
    expect_kind,
    move_cost,
    one_value,
    per_input,
    widen,
)
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient import cumulative
from clconv.graph.rules.gradient import movement as gradient


def _block(call: Call) -> int:
    call.expect(call.spec(0).rank == 4, "the input must be (batch, channels, height, width)")
    block, mode = call.attrs.blocksize, call.attrs.mode
    call.expect(block >= 1, f"blocksize {block} must be at least 1")
    call.expect(mode in ("DCR", "CRD"), f"mode {mode!r} is neither DCR nor CRD")
    return int(block)


def _infer_depth_to_space(call: Call) -> Sequence[TensorSpec]:
    block, x = _block(call), call.spec(0)
    n, c, h, w = x.shape
    call.expect(c % block**2 == 0, f"{c} channels do not divide by blocksize {block} squared")
    return [TensorSpec((n, c // block**2, h * block, w * block), x.dtype)]


def _depth_to_space(at: Any, x: np.ndarray) -> np.ndarray:
    (n, c, h, w), b = x.shape, at.blocksize
    if at.mode == "DCR":
        parts = x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // b**2, h * b, w * b)


def _infer_space_to_depth(call: Call) -> Sequence[TensorSpec]:
    block, x = _block(call), call.spec(0)
    n, c, h, w = x.shape
    call.expect(
        h % block == 0 and w % block == 0, f"{h}x{w} pixels do not divide by blocksize {block}"
    )
    return [TensorSpec((n, c * block**2, h // block, w // block), x.dtype)]


def _space_to_depth(at: Any, x: np.ndarray) -> np.ndarray:
    (n, c, h, w), b = x.shape, at.blocksize
    parts = x.reshape(n, c, h // b, b, w // b, b)
    order = (0, 3, 5, 1, 2, 4) if at.mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return parts.transpose(order).reshape(n, c * b**2, h // b, w // b)


def _infer_trilu(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    call.expect(x.rank >= 2, "the input must have rank 2 or more")
    if call.has(1):
        expect_index(call, 1)
        call.expect(call.spec(1).size == 1, "k must be one value")
    return [TensorSpec(x.shape, x.dtype)]


def _trilu(at: Any, x: np.ndarray, k: np.ndarray | None = None) -> np.ndarray:
    diagonal = 0 if k is None else int(k.reshape(-1)[0])
    return np.triu(x, diagonal) if at.upper else np.tril(x, diagonal)


def _infer_reverse(call: Call) -> Sequence[TensorSpec]:
    x, at = call.spec(0), call.attrs
    call.expect(x.rank >= 2, "the input must have rank 2 or more")
    call.expect({at.batch_axis, at.time_axis} == {0, 1}, "batch_axis and time_axis must be 0 and 1")
    batch = x.shape[at.batch_axis]
    expect_index(call, 1)
    call.expect(call.spec(1).shape == (batch,), f"sequence_lens must have shape ({batch},)")
    lengths = call.values[1]
    if lengths is not None and lengths.size:
        steps = x.shape[at.time_axis]
        call.expect(
            lengths.min() >= 0 and lengths.max() <= steps, f"sequence_lens must be in 0..{steps}"
        )
    return [TensorSpec(x.shape, x.dtype)]


def _reverse(at: Any, x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Each sequence's first `length` steps in reverse order, the rest as it is."""
    by_batch = np.moveaxis(x, (at.batch_axis, at.time_axis), (0, 1)).copy()
    for sequence, length in zip(by_batch, lengths.tolist(), strict=True):
        sequence[:length] = sequence[:length][::-1].copy()
    return np.moveaxis(by_batch, (0, 1), (at.batch_axis, at.time_axis))


def _infer_cumulative(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    expect_kind(call, 0, "number")
    expect_index(call, 1)
    call.axis(one_value(call, 1), x.rank)
    return [TensorSpec(x.shape, x.dtype)]


def _cumulative(accumulate: Any, at: Any, x: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Running sum or product along one axis; exclusive leaves the element itself out."""
    rows = np.moveaxis(widen(x), int(axis.reshape(-1)[0]), -1)
    rows = rows[..., ::-1] if at.reverse else rows
    out = accumulate.accumulate(rows, -1, rows.dtype)
    if at.exclusive:
        start = np.full((*rows.shape[:-1], 1), accumulate.identity, rows.dtype)
        out = np.concatenate([start, out], -1)[..., : rows.shape[-1]]
    out = out[..., ::-1] if at.reverse else out
    return np.moveaxis(out, -1, int(axis.reshape(-1)[0])).astype(x.dtype)


_BLOCKS = {"blocksize": REQUIRED, "mode": "DCR"}
register(
    Op(
        "DepthToSpace",
        _infer_depth_to_space,
        _depth_to_space,
        move_cost,
        _BLOCKS,
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.inverse("SpaceToDepth"),
        ),
    )
)
register(
    Op(
        "SpaceToDepth",
        _infer_space_to_depth,
        _space_to_depth,
        move_cost,
        _BLOCKS,
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.inverse("DepthToSpace"),
        ),
    )
)
register(
    Op(
        "Trilu",
        _infer_trilu,
        _trilu,
        move_cost,
        {"upper": 1},
        inputs=(1, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.same,
        ),
    )
)
register(
    Op(
        "ReverseSequence",
        _infer_reverse,
        _reverse,
        move_cost,
        {"batch_axis": 1, "time_axis": 0},
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.same,
        ),
    )
)
for _name, _ufunc, _rule in (
    ("CumSum", np.add, cumulative.cum_sum),
    ("CumProd", np.multiply, cumulative.cum_prod),
):
    register(
        Op(
            _name,
            _infer_cumulative,
            lambda at, x, axis, ufunc=_ufunc: _cumulative(ufunc, at, x, axis),
            per_input(1),
            {"exclusive": 0, "reverse": 0},
            inputs=(2, 2),
            hooks=Hooks(
                known=known.same_as_input,
                shape_input=None,
                transposed=None,
                images=None,
                half=Half.KEPT,
                epilogue=False,
                pad=False,
                keeps_elements=False,
                gradient=_rule,
            ),
        )
    )

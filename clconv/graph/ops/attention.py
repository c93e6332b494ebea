"""Attention: scaled dot products of queries and keys weigh the values (Vaswani et al. 2017).

As in opset 25 with the errata of onnx 1.23: causal and window masks are aligned at the lower right, and a
query without any key to attend to gives zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, Node, TensorSpec
from clconv.graph.ops.attention_sizes import AttentionSizes
from clconv.graph.ops.base import Call, Cost, Op, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes
from clconv.graph.rules.gradient.attention import attention

ATTENTION_ATTRIBUTES = {
    "is_causal": 0,
    "q_num_heads": None,  # for tensors of rank 3, whose last axis holds all heads
    "kv_num_heads": None,
    "scale": None,  # None: 1 / sqrt(head size)
    "softcap": 0.0,  # scores become softcap * tanh(score / softcap); 0 or less: they stay
    "softmax_precision": None,  # kernels compute in the dtype of Q or better
    "qk_matmul_output_mode": 0,  # output 3: the scores, 1 after softcap, 2 after the mask, 3 after softmax
    "left_window_size": -1,  # keys before the query's place that it attends to; -1: all
    "right_window_size": -1,
}


def _infer(call: Call) -> Sequence[TensorSpec]:
    at, (q, k, v) = call.attrs, (call.spec(i).shape for i in range(3))
    dtype = same_dtype(call, 0, 1, 2, 4, 5)
    expect_kind(call, 0, "float")
    call.expect(
        len(q) == len(k) == len(v) in (3, 4), "Q, K and V must all have rank 3 or all rank 4"
    )
    if len(q) == 3:
        call.expect(
            (at.q_num_heads or 0) >= 1 and (at.kv_num_heads or 0) >= 1,
            "tensors of rank 3 need q_num_heads and kv_num_heads of at least 1",
        )
        fits = q[2] % at.q_num_heads == k[2] % at.kv_num_heads == v[2] % at.kv_num_heads == 0
        call.expect(
            fits, f"{at.q_num_heads} and {at.kv_num_heads} heads do not divide the last axes"
        )
    call.expect(call.has(4) == call.has(5), "past_key and past_value belong together")
    past = 0
    if call.has(4):
        call.expect(
            call.spec(4).rank == call.spec(5).rank == 4, "past_key and past_value need rank 4"
        )
        call.expect(not call.has(6), "nonpad_kv_seqlen cannot be used with past_key")
        past = call.spec(4).shape[2]
    s = AttentionSizes.of(at, q, k, v, past)
    _check(call, s)
    call.expect(at.qk_matmul_output_mode in range(4), "qk_matmul_output_mode must be 0..3")
    call.expect(
        min(at.left_window_size, at.right_window_size) >= -1, "window sizes must be at least -1"
    )
    result: tuple[int, ...] = (s.batch, s.heads, s.queries, s.value_depth)
    if len(q) == 3:
        result = (s.batch, s.queries, s.heads * s.value_depth)
    shapes = (
        result,
        (s.batch, s.key_heads, s.keys, s.depth),
        (s.batch, s.key_heads, s.keys, s.value_depth),
        (s.batch, s.heads, s.queries, s.keys),
    )
    return [TensorSpec(shape, dtype) for shape in shapes]


def _check(call: Call, s: AttentionSizes) -> None:
    """ShapeError unless every input fits the sizes that Q and V tell."""
    four = call.spec(0).rank == 4
    key = (s.batch, s.key_heads, s.fresh, s.depth)
    value = (*key[:3], s.value_depth)
    wanted = {
        1: key if four else (s.batch, s.fresh, s.key_heads * s.depth),
        2: value if four else (s.batch, s.fresh, s.key_heads * s.value_depth),
        4: (s.batch, s.key_heads, s.past, s.depth),
        5: (s.batch, s.key_heads, s.past, s.value_depth),
        6: (s.batch,),
    }
    for i, shape in wanted.items():
        if call.has(i):
            call.expect(call.spec(i).shape == shape, f"input {i} must have shape {shape}")
    call.expect(
        s.key_heads >= 1 and s.heads % s.key_heads == 0,
        f"{s.heads} heads of Q are no multiple of {s.key_heads} of K",
    )
    if call.has(6):
        call.expect(call.spec(6).dtype is DType.INT64, "nonpad_kv_seqlen must be int64")
    if call.has(3):
        mask = call.spec(3)
        call.expect(mask.dtype in (DType.BOOL, call.spec(0).dtype), "the mask must be bool or as Q")
        aligned = (1,) * (4 - mask.rank) + mask.shape
        full = (s.batch, s.heads, s.queries)
        fits = len(aligned) == 4 and all(d in (1, n) for d, n in zip(aligned, full, strict=False))
        call.expect(
            mask.rank >= 1 and fits and aligned[3] <= s.keys,
            f"the mask must broadcast to {full} with at most {s.keys} keys",
        )


def _split(x: np.ndarray, heads: int) -> np.ndarray:
    """(batch, sequence, heads * depth) as (batch, heads, sequence, depth); rank 4 stays."""
    wide = x.astype(np.float64)
    if x.ndim == 4:
        return wide
    return wide.reshape(*x.shape[:2], heads, x.shape[2] // heads).swapaxes(1, 2)


def _bias(at: Any, s: AttentionSizes, mask: np.ndarray | None, lengths: np.ndarray | None) -> Any:
    """What masks add to the scores: (batch, heads, queries, keys) of 0, -inf or the mask's number."""
    bias = np.zeros((s.batch, s.heads, s.queries, s.keys))
    if mask is not None:
        added = np.where(mask, 0, -np.inf) if mask.dtype == np.bool_ else mask.astype(np.float64)
        missing = [(0, 0)] * (mask.ndim - 1) + [(0, s.keys - mask.shape[-1])]
        bias = bias + np.pad(added, missing, constant_values=-np.inf)
    offset = np.full(s.batch, s.past) if lengths is None else lengths - s.queries
    place = np.arange(s.queries)[:, None] + offset.reshape(-1, 1, 1, 1)
    key = np.arange(s.keys)
    allowed = np.ones((s.batch, 1, s.queries, s.keys), np.bool_)
    if at.is_causal:
        allowed &= key <= place
    if at.left_window_size >= 0:
        allowed &= key >= place - at.left_window_size
    if at.right_window_size >= 0:
        allowed &= key <= place + at.right_window_size
    if lengths is not None:
        allowed &= key < lengths.reshape(-1, 1, 1, 1)
    return np.where(allowed, bias, -np.inf)


def _reference(
    at: Any, q: np.ndarray, k: np.ndarray, v: np.ndarray, *optional: np.ndarray | None
) -> tuple[np.ndarray, ...]:
    """optional: mask, past keys, past values, lengths of the sequences; any may be absent."""
    mask, past_key, past_value, lengths = (*optional, None, None, None, None)[:4]
    past = 0 if past_key is None else past_key.shape[2]
    s = AttentionSizes.of(at, q.shape, k.shape, v.shape, past)
    query, key, value = _split(q, s.heads), _split(k, s.key_heads), _split(v, s.key_heads)
    if past_key is not None and past_value is not None:
        key, value = np.concatenate((past_key, key), 2), np.concatenate((past_value, value), 2)
    each = s.heads // s.key_heads
    scale = s.depth**-0.5 if at.scale is None else at.scale
    scores = query @ np.repeat(key, each, 1).swapaxes(-1, -2) * scale
    shown = [scores]
    if at.softcap > 0:
        scores = at.softcap * np.tanh(scores / at.softcap)
    shown.append(scores)
    bias = _bias(at, s, mask, lengths)
    scores = scores + bias
    shown.append(scores)
    largest = scores.max(-1, keepdims=True, initial=-np.inf)
    powers = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = powers.sum(-1, keepdims=True)
    weights = np.where(np.isneginf(largest), 0, powers / np.where(total == 0, 1, total))
    shown.append(weights)
    out = weights @ np.repeat(value, each, 1)
    if q.ndim == 3:
        out = out.swapaxes(1, 2).reshape(s.batch, s.queries, s.heads * s.value_depth)
    results = (out, key, value, shown[at.qk_matmul_output_mode])
    return tuple(r.astype(q.dtype) for r in results)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    q, k, v, _, past = (*inputs[:3], None, inputs[4] if len(inputs) > 4 else None)
    assert q is not None and k is not None and v is not None
    older = 0 if past is None else past.shape[2]
    s = AttentionSizes.of(node.attrs, q.shape, k.shape, v.shape, older)
    scores = s.batch * s.heads * s.queries * s.keys
    return Cost(scores * (2 * s.depth + 2 * s.value_depth + 15), moved_bytes(inputs, outputs))


register(
    Op(
        "Attention",
        _infer,
        _reference,
        _cost,
        ATTENTION_ATTRIBUTES,
        inputs=(3, 7),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=attention,
        ),
    )
)

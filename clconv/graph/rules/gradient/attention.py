"""Gradients of Attention: Y = P V with P = softmax(mask(cap(scale Q K'))).

The weights P are computed anew by the node itself, which has them as an output, so that its masks are told once. Heads of
the queries that share keys are more rows of one product, as in the forward kernels.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clconv.graph.ops.attention_sizes import AttentionSizes
from clconv.graph.rules.gradient.norm.softmax import through_softmax

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def attention(back: Backward) -> Sequence[str]:
    return _Attention(back).run()


class _Attention:
    def __init__(self, back: Backward) -> None:
        self.back = back
        past = back.spec(4).shape[2] if back.has(4) else 0
        q, k, v = (back.spec(i).shape for i in range(3))
        self.sizes = AttentionSizes.of(back.attrs, q, k, v, past)
        s = self.sizes
        self.pairs, self.rows = s.batch * s.key_heads, s.heads // s.key_heads * s.queries
        self.scale = s.depth**-0.5 if back.attrs.scale is None else back.attrs.scale

    def run(self) -> list[str]:
        back, s = self.back, self.sizes
        found = [""] * len(back.node.inputs)
        query = back.reshape(self._by_head(0, s.heads), (self.pairs, self.rows, s.depth))
        key, value = self._cache(1, 4, s.depth), self._cache(2, 5, s.value_depth)
        dvalue, dscores = "", self._shown(3)
        if back.has_gradient(0):
            dy = self._rows_of_result(back.gradient(0))
            dvalue = back.one("MatMul", self._turned(self._weights), dy)
            dweights = back.one("MatMul", dy, self._turned(value))
            dscores = self._sum(dscores, dweights)
        if dscores:
            dscores = through_softmax(back, self._weights, dscores, -1)
        dscores = self._sum(dscores, self._shown(2))
        if back.wants(3) and dscores:
            found[3] = self._mask(dscores)
        dscores = self._sum(dscores, self._shown(1))
        if dscores and back.attrs.softcap > 0:
            dscores = self._through_cap(dscores, query, key)
        dscores = self._sum(dscores, self._shown(0))
        dkey = ""
        if dscores:
            dscores = back.mul(dscores, back.number(self.scale))
            found[0] = self._as_input(back.one("MatMul", dscores, key), 0, s.heads)
            dkey = back.one("MatMul", self._turned(dscores), query)
        self._split(found, 1, 4, dkey, s.depth)
        self._split(found, 2, 5, dvalue, s.value_depth)
        return found

    def _sum(self, a: str, b: str) -> str:
        return self.back.add(a, b) if a and b else a or b

    def _turned(self, name: str) -> str:
        return self.back.transpose(name, (0, 2, 1))

    def _shown(self, mode: int) -> str:
        """What comes by the output of scores, if it shows them at that point."""
        back, s = self.back, self.sizes
        if back.attrs.qk_matmul_output_mode != mode or not back.has_gradient(3):
            return ""
        return back.reshape(back.gradient(3), (self.pairs, self.rows, s.keys))

    @functools.cached_property
    def _weights(self) -> str:
        """(pairs, rows, keys)"""
        back, s, outputs = self.back, self.sizes, self.back.node.outputs
        if back.attrs.qk_matmul_output_mode == 3 and outputs[3:] and outputs[3]:
            weights = outputs[3]
        else:
            attrs = {**back.attrs, "qk_matmul_output_mode": 3}
            weights = back.emit(back.node.op, *back.node.inputs, outputs=4, **attrs)[3]
        return back.reshape(weights, (self.pairs, self.rows, s.keys))

    def _through_cap(self, dscores: str, query: str, key: str) -> str:
        """softcap tanh(score / softcap): its slope is 1 - tanh^2."""
        back = self.back
        scores = back.one("MatMul", query, self._turned(key))
        capped = back.one("Tanh", back.mul(scores, back.number(self.scale / back.attrs.softcap)))
        slope = back.sub(back.number(1), back.mul(capped, capped))
        return back.mul(dscores, slope)

    def _mask(self, dscores: str) -> str:
        """A mask is added; keys behind its end are hidden."""
        back, s = self.back, self.sizes
        shape = back.spec(3).shape
        full = back.reshape(dscores, (s.batch, s.heads, s.queries, s.keys))
        kept = full if shape[-1] == s.keys else self._part(full, 3, 0, shape[-1])
        return back.sum_to(kept, shape)

    def _part(self, name: str, axis: int, start: int, stop: int) -> str:
        ints = self.back.ints
        return self.back.one("Slice", name, ints(start), ints(stop), ints(axis))

    def _by_head(self, index: int, heads: int) -> str:
        """An input as (batch, heads, sequence, depth)."""
        back, shape = self.back, self.back.spec(index).shape
        if len(shape) == 4:
            return back.input(index)
        split = back.reshape(back.input(index), (*shape[:2], heads, shape[2] // heads))
        return back.transpose(split, (0, 2, 1, 3))

    def _cache(self, index: int, past: int, depth: int) -> str:
        """All keys or values, old and new: (pairs, keys, depth)."""
        back, s = self.back, self.sizes
        fresh = self._by_head(index, s.key_heads)
        if back.has(past):
            fresh = back.one("Concat", back.input(past), fresh, axis=2)
        return back.reshape(fresh, (self.pairs, s.keys, depth))

    def _rows_of_result(self, dy: str) -> str:
        back, s = self.back, self.sizes
        if back.spec().rank == 3:
            dy = back.reshape(dy, (s.batch, s.queries, s.heads, s.value_depth))
            dy = back.transpose(dy, (0, 2, 1, 3))
        return back.reshape(dy, (self.pairs, self.rows, s.value_depth))

    def _as_input(self, name: str, index: int, heads: int) -> str:
        """A gradient by head in the shape of the input."""
        back, shape = self.back, self.back.spec(index).shape
        if len(shape) == 4:
            return back.reshape(name, shape)
        split = back.reshape(name, (shape[0], heads, shape[1], shape[2] // heads))
        return back.reshape(back.transpose(split, (0, 2, 1, 3)), shape)

    def _split(self, found: list[str], index: int, past: int, gradient: str, depth: int) -> None:
        """Gradients of new and old keys or values, from that of all."""
        back, s = self.back, self.sizes
        shape = (s.batch, s.key_heads, s.keys, depth)
        whole = back.reshape(gradient, shape) if gradient else ""
        if back.has_gradient(index):
            whole = self._sum(whole, back.gradient(index))
        if not whole:
            return
        if back.wants(index):
            fresh = self._part(whole, 2, s.past, s.keys) if s.past else whole
            found[index] = self._as_input(fresh, index, s.key_heads)
        if back.wants(past):
            found[past] = self._part(whole, 2, 0, s.past)

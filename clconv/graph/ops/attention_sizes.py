"""The sizes that the inputs of an Attention tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clconv.records import record


@record(frozen=True)
class AttentionSizes:
    """Sizes of an attention. keys and values hold `past` older entries before the `fresh` ones."""

    batch: int
    heads: int
    key_heads: int
    queries: int
    past: int
    fresh: int
    depth: int
    value_depth: int

    @property
    def keys(self) -> int:
        return self.past + self.fresh

    @classmethod
    def of(
        cls, at: Any, q: Sequence[int], k: Sequence[int], v: Sequence[int], past: int
    ) -> AttentionSizes:
        if len(q) == 4:
            return cls(q[0], q[1], k[1], q[2], past, k[2], q[3], v[3])
        heads, key_heads = at.q_num_heads, at.kv_num_heads
        depth, value_depth = q[2] // heads, v[2] // key_heads
        return cls(q[0], heads, key_heads, q[1], past, k[1], depth, value_depth)

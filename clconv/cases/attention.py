"""Cases of Attention: rank 3 and 4, masks, causal, windows, grouped heads, caches, queries without keys."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data

Shape = tuple[int, ...]


def attention(
    label: str,
    shapes: tuple[Shape, ...],
    mask: Operand | None = None,
    past: int = 0,
    lengths: tuple[int, ...] = (),
    outputs: int = 1,
    **attrs: Any,
) -> Case:
    """shapes: of queries, keys, and values where they differ from keys."""
    q, k, v = (*shapes, shapes[-1])[:3]
    operands: list[Operand | None] = [data(*q), data(*k), data(*v), mask]
    if past:
        key_heads = k[1] if len(k) == 4 else attrs["kv_num_heads"]
        depths = (k[3], v[3]) if len(k) == 4 else (k[2] // key_heads, v[2] // key_heads)
        operands += [data(k[0], key_heads, past, depth) for depth in depths]
    elif lengths:
        operands += [None, None, Operand((len(lengths),), "int64", values=lengths)]
    while operands[-1] is None:
        operands.pop()
    return Case("Attention", label, tuple(operands), attrs, outputs)


def heads(queries: int, keys: int) -> dict[str, Any]:
    """The attributes that rank 3 needs."""
    return {"q_num_heads": queries, "kv_num_heads": keys}


def yes_or_no(*shape: int) -> Operand:
    return Operand(tuple(shape), "bool")


FOUR = (2, 3, 5, 8)
HIDDEN_QUERY = [[1, 0, 1, 1, 0, 0, 1], [0] * 7, [1] * 7, [0, 0, 1, 0, 0, 0, 0], [0, 1] * 3 + [0]]
CASES = (
    attention("rank 4", (FOUR, (2, 3, 7, 8))),
    attention("rank 3", ((2, 5, 24), (2, 7, 24)), **heads(3, 3)),
    attention("values of another depth", (FOUR, (2, 3, 7, 8), (2, 3, 7, 5)), scale=0.3),
    attention("grouped heads", ((2, 6, 5, 8), (2, 2, 7, 8))),
    attention("grouped heads rank 3", ((1, 5, 48), (1, 7, 16)), **heads(6, 2)),
    attention("causal", (FOUR, FOUR), is_causal=1),
    attention("causal wide", (FOUR, (2, 3, 37, 8)), is_causal=1),
    attention("causal few keys", (FOUR, (2, 3, 2, 8)), is_causal=1),
    attention("number mask", (FOUR, (2, 3, 7, 8)), mask=data(5, 7)),
    attention("mask for each head", (FOUR, (2, 3, 7, 8)), mask=data(3, 1, 7)),
    attention("mask for each image", (FOUR, (2, 3, 7, 8)), mask=data(2, 1, 5, 7)),
    attention("short mask", (FOUR, (2, 3, 7, 8)), mask=data(5, 4)),
    attention("bool mask", (FOUR, (2, 3, 17, 8)), mask=yes_or_no(2, 3, 5, 17)),
    attention(
        "query without keys",
        (FOUR, (2, 3, 7, 8)),
        mask=Operand((5, 7), "bool", values=HIDDEN_QUERY),
    ),
    attention("bool mask and causal", (FOUR, FOUR), mask=yes_or_no(5, 5), is_causal=1),
    attention("softcap", (FOUR, (2, 3, 7, 8)), softcap=0.5, scale=2.0),
    attention("softcap below zero", (FOUR, (2, 3, 7, 8)), softcap=-1.0, scale=2.0),
    attention("windows", (FOUR, (2, 3, 9, 8)), left_window_size=1, right_window_size=2),
    attention("past", (FOUR, (2, 3, 5, 8)), past=6, is_causal=1, outputs=3),
    attention("past of one head", ((1, 1, 3, 8), (1, 1, 5, 8)), past=6, outputs=3),
    attention("past rank 3", ((1, 2, 24), (1, 2, 12)), past=5, outputs=3, **heads(4, 2)),
    attention("present alone", (FOUR, (2, 3, 7, 8)), outputs=3),
    attention("present alone rank 3", ((2, 5, 24), (2, 7, 24)), outputs=3, **heads(3, 3)),
    attention("lengths", (FOUR, (2, 3, 9, 8)), lengths=(9, 4), mask=data(5, 9)),
    attention("lengths causal", (FOUR, (2, 3, 9, 8)), lengths=(8, 3), is_causal=1),
    *(
        attention(
            f"scores {mode}",
            (FOUR, (2, 3, 7, 8)),
            mask=data(5, 7),
            softcap=0.7,
            qk_matmul_output_mode=mode,
            outputs=4,
        )
        for mode in range(4)
    ),
    attention(
        "masked scores", (FOUR, (2, 3, 9, 8)), is_causal=1, qk_matmul_output_mode=2, outputs=4
    ),
    attention("one token", ((1, 1, 1, 1), (1, 1, 1, 1))),
    attention("primes", ((1, 2, 53, 31), (1, 2, 53, 31))),
)

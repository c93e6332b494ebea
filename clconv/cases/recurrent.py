"""Cases of LSTM, GRU and RNN: directions, layouts, lengths, initial states, odd sizes."""

from __future__ import annotations

import dataclasses
from typing import Any

from clconv.cases.base import Case, Operand, data, weight
from clconv.graph.ops.recurrent import DEFAULTS, GATES


def recurrent(
    op: str,
    label: str,
    time: int,
    batch: int,
    features: int,
    hidden: int,
    *,
    bias: bool = True,
    lengths: tuple[int, ...] | None = None,
    initial: bool = False,
    peephole: bool = False,
    layout: int = 0,
    direction: str = "forward",
    fed: bool = False,
    **attrs: Any,
) -> Case:
    d, gates = (2 if direction == "bidirectional" else 1), GATES[op] * hidden
    state = (batch, d, hidden) if layout else (d, batch, hidden)
    operands: list[Operand | None] = [
        data(batch, time, features) if layout else data(time, batch, features),
        weight(d, gates, features),
        weight(d, gates, hidden),
        weight(d, 2 * gates) if bias else None,
        None if lengths is None else Operand((batch,), "int32", values=lengths),
        data(*state) if initial else None,
    ]
    if op == "LSTM":
        operands += [data(*state) if initial else None, weight(d, 3 * hidden) if peephole else None]
    if fed:
        operands = [o and dataclasses.replace(o, constant=False) for o in operands]
    full = {"hidden_size": hidden, "direction": direction, "layout": layout, **attrs}
    return Case(op, label, tuple(operands), full, outputs=3 if op == "LSTM" else 2)


CASES = (
    *(
        case
        for op in GATES
        for case in (
            recurrent(op, "forward", 7, 2, 5, 6),
            recurrent(op, "reverse", 5, 1, 3, 4, direction="reverse"),
            recurrent(op, "both ways", 6, 3, 4, 5, direction="bidirectional", initial=True),
            recurrent(
                op, "batch first", 5, 2, 3, 4, layout=1, direction="bidirectional", initial=True
            ),
            recurrent(op, "lengths", 5, 3, 2, 3, lengths=(5, 2, 0), initial=True),
            recurrent(
                op, "lengths both ways", 4, 2, 3, 3, lengths=(3, 1), direction="bidirectional"
            ),
            recurrent(op, "no bias one step", 1, 1, 1, 1, bias=False),
            recurrent(op, "primes", 11, 1, 37, 29),
            recurrent(op, "clipped", 4, 2, 3, 4, clip=0.5),
            recurrent(op, "fed weights", 3, 2, 3, 4, fed=True, direction="bidirectional"),
            recurrent(
                op,
                "functions by direction",
                3,
                2,
                3,
                9,
                direction="bidirectional",
                activations=(*DEFAULTS[op][:-1], "Relu", *DEFAULTS[op]),
            ),
            recurrent(op, "whole vectors", 4, 2, 16, 32, direction="bidirectional", layout=1),
        )
    ),
    recurrent("LSTM", "peepholes", 5, 2, 3, 4, peephole=True),
    recurrent("LSTM", "peepholes both ways", 5, 2, 3, 9, peephole=True, direction="bidirectional"),
    recurrent("LSTM", "coupled gates", 5, 2, 3, 4, input_forget=1),
    recurrent("GRU", "linear before reset", 6, 2, 4, 5, linear_before_reset=1),
    recurrent(
        "GRU",
        "linear before reset both ways",
        3,
        2,
        4,
        9,
        linear_before_reset=1,
        direction="bidirectional",
        lengths=(3, 1),
        clip=0.7,
    ),
    recurrent("GRU", "linear before reset no bias", 3, 1, 4, 5, linear_before_reset=1, bias=False),
    recurrent(
        "LSTM",
        "other activations",
        4,
        2,
        3,
        4,
        activations=("HardSigmoid", "Softsign", "Relu"),
        activation_alpha=(0.3,),
        activation_beta=(0.4,),
    ),
    recurrent(
        "RNN",
        "scaled activation",
        4,
        2,
        3,
        4,
        activations=("ScaledTanh",),
        activation_alpha=(1.2,),
        activation_beta=(0.7,),
    ),
)

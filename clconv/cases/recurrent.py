"""Cases of LSTM, GRU and RNN: directions, layouts, lengths, initial states, odd sizes."""

from __future__ import annotations

import dataclasses
from typing import Any

from clconv.cases.base import Case, Operand, data, weight
from clconv.graph.ops.recurrent import GATES
from clconv.graph.ops.recurrent_functions import DEFAULTS


@dataclasses.dataclass(frozen=True)
class GivenInputs:
    """Which inputs a layer has besides the sequence and its weights. fed: weights are no constants."""

    bias: bool = True
    lengths: tuple[int, ...] | None = None
    initial: bool = False
    peephole: bool = False
    fed: bool = False


def recurrent(
    op: str,
    label: str,
    sizes: tuple[int, int, int, int],
    inputs: GivenInputs = GivenInputs(),
    **attrs: Any,
) -> Case:
    """sizes: time steps, batch, features, hidden units."""
    time, batch, features, hidden = sizes
    attrs = {"hidden_size": hidden, "direction": "forward", "layout": 0, **attrs}
    d = 2 if attrs["direction"] == "bidirectional" else 1
    gates = GATES[op] * hidden
    state = (batch, d, hidden) if attrs["layout"] else (d, batch, hidden)
    initial = data(*state) if inputs.initial else None
    operands: list[Operand | None] = [
        data(batch, time, features) if attrs["layout"] else data(time, batch, features),
        weight(d, gates, features),
        weight(d, gates, hidden),
        weight(d, 2 * gates) if inputs.bias else None,
        None if inputs.lengths is None else Operand((batch,), "int32", values=inputs.lengths),
        initial,
    ]
    if op == "LSTM":
        operands += [initial, weight(d, 3 * hidden) if inputs.peephole else None]
    if inputs.fed:
        operands = [o and dataclasses.replace(o, constant=False) for o in operands]
    return Case(op, label, tuple(operands), attrs, outputs=3 if op == "LSTM" else 2)


CASES = (
    *(
        case
        for op in GATES
        for case in (
            recurrent(op, "forward", (7, 2, 5, 6)),
            recurrent(op, "reverse", (5, 1, 3, 4), direction="reverse"),
            recurrent(
                op, "both ways", (6, 3, 4, 5), GivenInputs(initial=True), direction="bidirectional"
            ),
            recurrent(
                op,
                "batch first",
                (5, 2, 3, 4),
                GivenInputs(initial=True),
                layout=1,
                direction="bidirectional",
            ),
            recurrent(op, "lengths", (5, 3, 2, 3), GivenInputs(lengths=(5, 2, 0), initial=True)),
            recurrent(
                op,
                "lengths both ways",
                (4, 2, 3, 3),
                GivenInputs(lengths=(3, 1)),
                direction="bidirectional",
            ),
            recurrent(op, "no bias one step", (1, 1, 1, 1), GivenInputs(bias=False)),
            recurrent(op, "primes", (11, 1, 37, 29)),
            recurrent(op, "clipped", (4, 2, 3, 4), clip=0.5),
            recurrent(
                op, "fed weights", (3, 2, 3, 4), GivenInputs(fed=True), direction="bidirectional"
            ),
            recurrent(
                op,
                "functions by direction",
                (3, 2, 3, 9),
                direction="bidirectional",
                activations=(*DEFAULTS[op][:-1], "Relu", *DEFAULTS[op]),
            ),
            recurrent(op, "whole vectors", (4, 2, 16, 32), direction="bidirectional", layout=1),
        )
    ),
    recurrent("LSTM", "peepholes", (5, 2, 3, 4), GivenInputs(peephole=True)),
    recurrent(
        "LSTM",
        "peepholes both ways",
        (5, 2, 3, 9),
        GivenInputs(peephole=True),
        direction="bidirectional",
    ),
    recurrent("LSTM", "coupled gates", (5, 2, 3, 4), input_forget=1),
    recurrent("GRU", "linear before reset", (6, 2, 4, 5), linear_before_reset=1),
    recurrent(
        "GRU",
        "linear before reset both ways",
        (3, 2, 4, 9),
        GivenInputs(lengths=(3, 1)),
        linear_before_reset=1,
        direction="bidirectional",
        clip=0.7,
    ),
    recurrent(
        "GRU",
        "linear before reset no bias",
        (3, 1, 4, 5),
        GivenInputs(bias=False),
        linear_before_reset=1,
    ),
    recurrent(
        "LSTM",
        "other activations",
        (4, 2, 3, 4),
        activations=("HardSigmoid", "Softsign", "Relu"),
        activation_alpha=(0.3,),
        activation_beta=(0.4,),
    ),
    recurrent(
        "RNN",
        "scaled activation",
        (4, 2, 3, 4),
        activations=("ScaledTanh",),
        activation_alpha=(1.2,),
        activation_beta=(0.7,),
    ),
)

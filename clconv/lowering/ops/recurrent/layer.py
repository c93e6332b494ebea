"""What the variants of recurrent layers share: sizes, distances in memory, activations as expressions."""

from __future__ import annotations

import dataclasses

from clconv.graph.ir import Attributes
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.graph.ops.recurrent import GATES
from clconv.graph.ops.recurrent_functions import DEFAULTS, activation_settings, directions
from clconv.lowering.model.arguments import Argument, Scalar
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.kernel import Problem
from clconv.lowering.shared.epilogue import Term, TermOperand
from clconv.records import record

_ROWS = {name.lower(): row for name, row in ROWS.items()}
_OTHERS = {"affine": "{alpha} * a + {beta}", "scaledtanh": "{alpha} * clconv_tanh({beta} * a)"}


@record(frozen=True)
class RecurrentLayer:
    """Sizes of a layer, and distances in elements: `state` from one direction and batch row to the next in
    initial and final states, `sequence` from one time, batch row and direction to the next in the outputs."""

    time: int
    batch: int
    features: int
    hidden: int
    directions: int
    gates: int
    inputs: tuple[int, int]  # from one time, and from one batch row, to the next
    state: tuple[int, int]
    sequence: tuple[int, int, int]

    @classmethod
    def of(cls, problem: Problem) -> RecurrentLayer:
        at, x, hidden = problem.node.attrs, problem.x.shape, problem.input(2).shape[2]
        d = directions(at)
        batch, time = x[:2] if at.layout else x[1::-1]
        if at.layout:
            inputs, state = (x[2], time * x[2]), (hidden, d * hidden)
            sequence = (d * hidden, time * d * hidden, hidden)
        else:
            inputs, state = (batch * x[2], x[2]), (batch * hidden, hidden)
            sequence = (d * batch * hidden, hidden, batch * hidden)
        gates = GATES[problem.node.op]
        return cls(time, batch, x[2], hidden, d, gates, inputs, state, sequence)

    def sequence_arguments(self) -> list[tuple[str, Argument]]:
        names = ("y_time", "y_batch", "y_direction")
        return [(n, Scalar(s, "long")) for n, s in zip(names, self.sequence, strict=True)]


def activations(problem: Problem) -> list[tuple[Term, ...]]:
    """The functions of each direction as expressions."""
    terms = []
    for name, alpha, beta in activation_settings(problem.node.op, problem.node.attrs):
        numbers = {k: v for k, v in (("alpha", alpha), ("beta", beta)) if v is not None}
        row = _ROWS.get(name)
        row = row or dataclasses.replace(ROWS["HardSigmoid"], expression=_OTHERS[name])
        terms.append(Term(row.c_expression(Attributes(numbers)), (TermOperand("running"),)))
    own = len(DEFAULTS[problem.node.op])
    count = directions(problem.node.attrs)
    return [tuple(terms[d * own : (d + 1) * own]) for d in range(count)]


def length_type(problem: Problem) -> str:
    return C_TYPES[problem.input(4).dtype.value] if problem.has(4) else ""


def lengths(problem: Problem) -> list[tuple[str, Argument]]:
    return [("lengths", problem.argument(4))] if problem.has(4) else []

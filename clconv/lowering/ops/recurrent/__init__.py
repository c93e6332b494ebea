"""Variants of LSTM, GRU and RNN: the fastest first, the last runs anything."""

from __future__ import annotations

from clconv.graph.ops.recurrent import GATES
from clconv.lowering.model.kernel import Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.ops.recurrent.simple import simple_lower, simple_rounds
from clconv.lowering.ops.recurrent.steps import steps_lower, steps_obstacle

for _op in GATES:
    register(
        Variant(_op, "steps", steps_obstacle, steps_lower),
        Variant(_op, "simple", arithmetic_obstacle, simple_lower, rounds=simple_rounds),
    )

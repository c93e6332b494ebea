"""Pointwise: several element-wise operators at once, with several results.

What an optimiser does to a parameter and its moments reads and writes each of them once as one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, broadcast_shapes, register
from clconv.graph.ops.elementwise.elementwise import ROWS, apply_row
from clconv.graph.ops.hooks import Half, Hooks

# Rows that may be steps: those of optimisers, without attributes, floats into floats of the same dtype.
STEPS = frozenset(
    ("Abs", "Add", "Div", "Max", "Min", "Mul", "Neg", "Reciprocal", "Sign", "Sqrt", "Sub")
)


def arity(op: str) -> int:
    """How many operands a step takes: two of an operator that takes any number."""
    return 2 if ROWS[op].variadic else ROWS[op].arity


def _infer(call: Call) -> Sequence[TensorSpec]:
    """attributes steps: (operator, operand...) each; an operand is the index of an input, or -1 - k for the result of step
    k. results: which steps' results are the outputs. Inputs have the outputs' shape, or one element."""
    specs = [call.spec(i) for i in range(len(call.specs))]
    dtype = specs[0].dtype
    call.expect(
        dtype.is_float and all(s.dtype is dtype for s in specs), "takes floats of one dtype"
    )
    shape = broadcast_shapes(call, *(s.shape for s in specs))
    call.expect(
        all(s.shape == shape or s.size == 1 for s in specs),
        "inputs have the shape of the results, or one element",
    )
    steps, results = call.attrs.steps, call.attrs.results
    for k, (op, *operands) in enumerate(steps):
        call.expect(op in STEPS, f"step {k}: '{op}' is none of {', '.join(sorted(STEPS))}")
        call.expect(len(operands) == arity(op), f"step {k}: {op} takes {arity(op)} operands")
        call.expect(
            all(-k <= o < len(specs) for o in operands),
            f"step {k}: operands {operands} are neither inputs nor earlier steps",
        )
    call.expect(
        len(results) == len(call.node.outputs) and all(0 <= r < len(steps) for r in results),
        f"results {results} are not one step for each of {len(call.node.outputs)} outputs",
    )
    return [TensorSpec(shape, dtype)] * len(results)


def _reference(attrs: Attributes, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    found: list[Any] = []
    for op, *operands in attrs.steps:
        given = [arrays[o] if o >= 0 else found[-1 - o] for o in operands]
        found.append(apply_row(ROWS[op], Attributes(), *given))
    return tuple(np.broadcast_to(found[r], shape).copy() for r in attrs.results)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    flops = sum(ROWS[op].flops for op, *_ in node.attrs.steps) * outputs[0].size
    return Cost(flops, sum(s.nbytes for s in (*inputs, *outputs) if s is not None))


register(
    Op(
        "Pointwise",
        infer=_infer,
        reference=_reference,
        cost=_cost,
        attributes={"steps": REQUIRED, "results": REQUIRED},
        inputs=(1, None),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=None,
        ),
    )
)

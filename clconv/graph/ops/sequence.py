"""Operators on sequences of tensors. `clconv.graph.specialise.sequences` says what they mean, while a graph is specialised."""

from __future__ import annotations

from typing import Any, NoReturn

from clconv.errors import GraphError
from clconv.graph.ops.base import REQUIRED, Call, Op, register


def _infer(call: Call) -> NoReturn:
    call.fail("operators on sequences are written with those on tensors before shapes are inferred")


def _no_reference(*anything: Any) -> NoReturn:
    raise GraphError("a sequence is no array: specialise the graph first")


for _name, _inputs, _attributes in (
    ("SequenceEmpty", (0, 0), {"dtype": None}),
    ("SequenceConstruct", (0, None), {}),
    ("SequenceInsert", (2, 3), {}),
    ("SequenceErase", (1, 2), {}),
    ("SequenceAt", (2, 2), {}),
    ("SequenceLength", (1, 1), {}),
    ("ConcatFromSequence", (1, 1), {"axis": REQUIRED, "new_axis": 0}),
    ("SplitToSequence", (1, 2), {"axis": 0, "keepdims": 1}),
):
    register(
        Op(
            _name,
            _infer,
            _no_reference,
            attributes=_attributes,
            inputs=_inputs,
            host_only=True,
            folds=False,
        )
    )

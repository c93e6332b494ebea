"""Variants of the operators that only look at the shape: their outputs are another view of the input's memory.

A constant lies in no value's memory, so that a node that hands a constant on copies it.
"""

from __future__ import annotations

import math

import numpy as np

from clconv.graph.ir import PLAIN, Layout
from clconv.lowering.copies.boxes import Copy, CopyLoop
from clconv.lowering.copies.movement import blocked_obstacle, outputs
from clconv.lowering.copies.strided import copy_call
from clconv.lowering.model.arguments import Write
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, always, register
from clconv.lowering.shared.fill import fill_call


def _view_lower(problem: Problem) -> Lowered:
    """The first output, if it has a name, as a view of the first input."""
    name = problem.node.outputs[0]
    if not name:
        return Lowered()
    if not problem.is_constant(0):
        return Lowered(aliases={name: problem.node.inputs[0]})
    if problem.x.size == 0:
        return Lowered()
    flat = Copy((CopyLoop(math.prod(problem.x.layout.physical(problem.x.shape)), 1, 1),))
    itemsize = problem.x.dtype.itemsize
    return Lowered((copy_call(problem, flat, problem.argument(0), Write(name), itemsize),))


def _keeps_channels(problem: Problem) -> bool:
    """Whether the bytes of channel blocks mean the same under both shapes."""
    return problem.x.shape[:2] == problem.y.shape[:2] and blocked_obstacle(problem) is None


def _view_signatures(problem: Problem) -> list[Signature]:
    more = (PLAIN,) * (len(problem.inputs) - 1)
    rest = (PLAIN,) * (len(problem.outputs) - 1)
    layouts = [PLAIN]
    if problem.node.outputs[0] and _keeps_channels(problem):
        layouts.append(Layout(problem.device.vector_width))
    return [Signature((x, *more), (x, *rest)[: len(problem.outputs)]) for x in layouts]


def _inference_obstacle(problem: Problem) -> str | None:
    training = problem.constant(2)
    return None if training is None or not training.any() else "is for inference"


def _dropout_lower(problem: Problem) -> Lowered:
    view = _view_lower(problem)
    calls: list[KernelCall] = list(view.calls)
    for index, write, spec in outputs(problem):
        if index == 1 and spec.size:
            calls.append(fill_call(problem, write, 1, spec.size, spec.dtype))
    return Lowered(tuple(calls), aliases=view.aliases)


def _numbers_lower(problem: Problem) -> Lowered:
    """Shape and Size where the passes left them: numbers that are known now."""
    at, x, y = problem.node.attrs, problem.x, problem.y
    numbers = x.shape[at.start : at.end] if problem.node.op == "Shape" else (x.size,)
    return Lowered(
        tuple(
            fill_call(problem, Write(problem.node.outputs[0]), int(n), 1, y.dtype, offset=i)
            for i, n in enumerate(np.reshape(numbers, -1))
        )
    )


for _op in ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"):
    register(Variant(_op, "view", always, _view_lower, _view_signatures))
register(Variant("Dropout", "view", _inference_obstacle, _dropout_lower, _view_signatures))
register(Variant("Shape", "fill", always, _numbers_lower))
register(Variant("Size", "fill", always, _numbers_lower))

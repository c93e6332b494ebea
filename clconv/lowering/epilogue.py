"""Fused epilogues: a node's EpilogueSteps as OpenCL expressions and the arguments that they read.

The only C that is put together in Python: the expressions come from the element-wise rows, operands are
literals, per-channel constants, or tensors of the output's own shape and layout.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from clconv.errors import VariantError
from clconv.graph.ir import RUNNING, DType
from clconv.graph.ops.elementwise import ROWS, c_float
from clconv.lowering.kernel import Argument, Packed, Packing, Problem, Read


@dataclasses.dataclass(frozen=True)
class Operand:
    """Where `a`, `b` or `c` of an expression comes from.

    kind: "running", "literal" (text is C), "channel" (text names a float array by channel, padded to
    whole blocks) or "full" (text names an array of the output's shape and layout).
    """

    kind: str
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Term:
    """One step: an expression of a, b, c and T, and its operands."""

    expression: str
    operands: tuple[Operand, ...]

    def c_text(self, vector: str, operands: tuple[str, ...]) -> str:
        """The expression with T as `vector` and a, b, c as the given C texts."""
        names = dict(zip("abc", operands, strict=False)) | {"T": vector}
        return re.sub(r"\b[abcT]\b", lambda m: names[m.group()], self.expression)


@dataclasses.dataclass(frozen=True)
class Epilogue:
    """Terms in order, and the arguments (name, what) that kernels append to their own."""

    terms: tuple[Term, ...] = ()
    arguments: tuple[tuple[str, Argument], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.arguments)


def channel_packing(block: int) -> Packing:
    """A per-channel constant as a flat float vector, padded with zeros to whole blocks."""

    def pack(array: np.ndarray) -> np.ndarray:
        flat = np.ascontiguousarray(array, dtype=np.float32).reshape(-1)
        return np.pad(flat, (0, -flat.size % block))

    return Packing("channels", (block,), pack)


def plan_epilogue(problem: Problem, block: int = 1) -> Epilogue:
    """The node's epilogue for a kernel whose channel vectors are padded to multiples of `block`.

    Raises VariantError if an operand is none of the four kinds; epilogue_obstacle() tells beforehand.
    """
    terms, arguments = [], []
    for step in problem.node.epilogue:
        operands = []
        for index in step.operands:
            if index == RUNNING:
                operands.append(Operand("running"))
                continue
            kind = _kind(problem, index)
            if kind is None:
                raise VariantError(epilogue_obstacle(problem) or "")
            if kind == "literal":
                value = problem.constant(index)
                assert value is not None
                operands.append(Operand("literal", c_float(float(value.reshape(-1)[0]))))
                continue
            name = f"operand{len(arguments)}"
            value_name = problem.node.inputs[index]
            argument: Argument = (
                Packed(value_name, channel_packing(block)) if kind == "channel" else Read(value_name)
            )
            arguments.append((name, argument))
            operands.append(Operand(kind, name))
        terms.append(Term(ROWS[step.op].c_expression(step.attrs), tuple(operands)))
    return Epilogue(tuple(terms), tuple(arguments))


def epilogue_obstacle(problem: Problem) -> str | None:
    """None if plan_epilogue can take the node's epilogue, else the operand that it cannot."""
    for step in problem.node.epilogue:
        if problem.y.dtype is not DType.FLOAT32:
            return f"epilogue {step.op} on {problem.y.dtype.value}"
        for index in step.operands:
            if index != RUNNING and _kind(problem, index) is None:
                return f"epilogue {step.op} with an operand of shape {problem.input(index).shape}"
    return None


def _kind(problem: Problem, index: int) -> str | None:
    """literal, channel or full; None if it is neither."""
    spec, y = problem.input(index), problem.y
    constant = problem.is_constant(index)
    if constant and spec.size == 1:
        return "literal"
    if constant and spec.size == y.shape[1] and _channel_axis(spec.shape, y.rank):
        return "channel"
    if not constant and spec.shape == y.shape and spec.dtype is y.dtype:
        return "full"
    return None


def _channel_axis(shape: tuple[int, ...], rank: int) -> bool:
    """Whether the only axis that is not 1 lines up with axis 1 of a tensor of that rank."""
    aligned = (1,) * (rank - len(shape)) + tuple(shape)
    return len(aligned) == rank and all(d == 1 for i, d in enumerate(aligned) if i != 1)

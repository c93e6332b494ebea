"""Fused epilogues: a node's EpilogueSteps as OpenCL expressions and the arguments that they read.

The only C that is put together in Python: the expressions come from the element-wise rows, operands are
literals, per-channel constants, or tensors of the output's own shape and layout.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from clconv.errors import VariantError
from clconv.graph.ir import RUNNING, DType, EpilogueStep
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.graph.ops.elementwise.row import c_number
from clconv.lowering.model.arguments import (
    Argument,
    Packed,
    Packing,
    Read,
    layout_packing,
)
from clconv.lowering.model.ctext import with_limits
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.obstacles import computed
from clconv.records import record


@record(frozen=True)
class TermOperand:
    """Where `a`, `b` or `c` of an expression comes from.

    kind: "running", "literal" (text is C), "channel" (text names a float array by channel, padded to
    whole blocks), "full" (text names an array of the output's shape and layout) or "variable" (text is C
    of the right type already).
    """

    kind: str
    text: str = ""


@record(frozen=True)
class Term:
    """One step: an expression of a, b, c and T, and its operands."""

    expression: str
    operands: tuple[TermOperand, ...]

    def c_text(self, vector: str, operands: tuple[str, ...]) -> str:
        """The expression with T as `vector` and a, b, c as the given C texts."""
        names = dict(zip("abc", operands, strict=False)) | {"T": vector}
        text = with_limits(self.expression, vector)
        return re.sub(r"\b[abcT]\b", lambda m: names[m.group()], text)


@record(frozen=True)
class Epilogue:
    """Terms in order, and the arguments (name, what) that kernels append to their own."""

    terms: tuple[Term, ...] = ()
    arguments: tuple[tuple[str, Argument], ...] = ()

    @property
    def alike(self) -> list[str]:
        """Names of the arguments that are read where the result is written: see KernelCall.same_index."""
        operands = [operand for term in self.terms for operand in term.operands]
        return [operand.text for operand in operands if operand.kind == "full"]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.arguments)


CHOICE = "epilogue_choice"  # the number of one of several epilogues, as kernels' parameter
BIAS_OR_NULL = "or null"  # a kernel's bias that some of its calls do not have


@record(frozen=True)
class Choices:
    """The epilogues of a kernel that does the work of several, in the place of one; parameter CHOICE says which."""

    epilogues: tuple[tuple[Term, ...], ...]


def channel_packing(block: int) -> Packing:
    """A per-channel constant as a flat float vector, padded with zeros to whole blocks."""

    def pack(array: np.ndarray) -> np.ndarray:
        flat = np.ascontiguousarray(array, dtype=np.float32).reshape(-1)
        return np.pad(flat, (0, -flat.size % block))

    return Packing("channels", (block,), pack, DType.FLOAT32)


def plan_epilogue(problem: Problem, block: int = 1) -> Epilogue:
    """The node's epilogue for a kernel whose channel vectors are padded to multiples of `block`.

    Raises VariantError if an operand is none of the four kinds; epilogue_obstacle() tells beforehand.
    """
    arguments: list[tuple[str, Argument]] = []

    def place(index: int) -> TermOperand:
        kind = _kind(problem, index)
        if kind is None:
            raise VariantError(epilogue_obstacle(problem) or "")
        name = f"operand{len(arguments)}"
        value = problem.node.inputs[index]
        argument: Argument = Read(value)
        if kind == "channel":
            argument = Packed(value, channel_packing(block))
        elif problem.is_constant(index):
            argument = Packed(value, layout_packing(problem.y.layout))
        arguments.append((name, argument))
        return TermOperand(kind, name)

    terms = tuple(make_term(problem, step, place) for step in problem.node.epilogue)
    return Epilogue(terms, tuple(arguments))


def make_term(problem: Problem, step: EpilogueStep, place: Callable[[int], TermOperand]) -> Term:
    """One step of a node. place(i) says where a kernel finds input i of the node; it is not asked for
    constants of one element, which become literals, nor for absent inputs."""
    row, inputs = ROWS[step.op], problem.node.inputs
    operands: list[TermOperand | None] = []
    dtypes: list[DType] = []
    numbers: list[float | None] = []
    for position in range(row.arity):
        index = step.operands[position] if position < len(step.operands) else None
        number: float | None = None
        operand: TermOperand | None = None
        dtype = dtypes[0] if dtypes else computed(problem.y.dtype)
        if index == RUNNING:
            operand = TermOperand("running")
        elif index is None or not inputs[index]:
            number = row.absent[position - row.arity]
        else:
            dtype = computed(problem.input(index).dtype)
            value = problem.constant(index)
            if value is not None and value.size == 1:
                number = value.reshape(-1)[0].item()
            else:
                operand = place(index)
        operands.append(operand)
        dtypes.append(dtype)
        numbers.append(number)
    compute = dtypes[1] if row.condition_first else dtypes[0]
    text = row.c_expression(step.attrs, dtypes, numbers)
    filled = (
        operand or _literal(number or 0, dtype, compute)
        for operand, number, dtype in zip(operands, numbers, dtypes, strict=True)
    )
    return Term(text, tuple(filled))


def _literal(number: float, dtype: DType, compute: DType) -> TermOperand:
    # A literal of another dtype than the rest (an exponent, a condition) must not be cast to theirs.
    return TermOperand("literal" if dtype is compute else "variable", c_number(number, dtype))


def epilogue_obstacle(problem: Problem) -> str | None:
    """None if plan_epilogue can take the node's epilogue, else the operand that it cannot."""
    for step in problem.node.epilogue:
        if computed(problem.y.dtype) is not DType.FLOAT32:
            return f"epilogue {step.op} on {problem.y.dtype.value}"
        for index in step.operands:
            absent = index == RUNNING or not problem.node.inputs[index]
            if not absent and _kind(problem, index) is None:
                return f"epilogue {step.op} with an operand of shape {problem.input(index).shape}"
    return None


def _kind(problem: Problem, index: int) -> str | None:
    """literal, channel or full; None if it is neither."""
    spec, y = problem.input(index), problem.y
    constant = problem.is_constant(index)
    if constant and spec.size == 1:
        return "literal"
    if constant and is_channel_vector(spec.shape, y.shape):
        return "channel"
    if spec.shape == y.shape and spec.dtype is y.dtype:
        return "full"
    return None


def is_channel_vector(shape: tuple[int, ...], result: tuple[int, ...]) -> bool:
    """Whether a shape has one element for each channel (axis 1) of the result that it broadcasts to."""
    aligned = (1,) * (len(result) - len(shape)) + tuple(shape)
    if len(aligned) != len(result) or len(result) < 2:
        return False
    return all(d == (result[1] if i == 1 else 1) for i, d in enumerate(aligned))

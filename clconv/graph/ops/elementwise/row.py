"""What a row of the element-wise table is, and numbers as OpenCL C literals."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, DType
from clconv.graph.ops.hooks import GradientRule
from clconv.records import record


@record(frozen=True)
class ExpressionUse:
    """One place where a row's expression is written, and what its text may depend on.

    dtypes: of the operands. numbers: the value of an operand that is a known number, else None.
    """

    attrs: Attributes
    dtypes: tuple[DType, ...]
    numbers: tuple[float | None, ...]

    @property
    def is_float(self) -> bool:
        return self.dtypes[0].is_float


@record(frozen=True)
class Row:
    """One element-wise operator.

    numpy(attrs, *arrays): floats arrive as float64, other dtypes as they are.
    expression: OpenCL C, or a function of the ExpressionUse that returns it; {name} is an attribute.
    kind: the dtypes it takes: "float", "number", "int", "bool" or "any".
    result: output dtype; None for that of the (last) input.
    flops: floating-point operations per element, for the cost.
    gradient: writes the gradients of its inputs, see graph/rules/gradient/elementwise; None if there is no rule.
    """

    name: str
    arity: int
    numpy: Callable[..., Any]
    expression: str | Callable[[ExpressionUse], str]
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    kind: str = "float"
    result: DType | None = None
    variadic: bool = False  # any number of inputs, folded pairwise from the left
    absent: tuple[float, ...] = ()  # what trailing inputs that may be absent then stand for
    condition_first: bool = False  # input 0 is bool whatever the others are
    flops: int = 1
    gradient: GradientRule | None = None

    @property
    def optional(self) -> int:
        """How many trailing inputs may be absent."""
        return len(self.absent)

    @property
    def is_step(self) -> bool:
        """Whether it turns floats into floats of the same dtype, so that a kernel can apply it to its result."""
        return self.kind in ("float", "number") and self.result is None and not self.condition_first

    def c_expression(
        self,
        attrs: Attributes,
        dtypes: Sequence[DType] = (),
        numbers: Sequence[float | None] = (),
    ) -> str:
        """OpenCL C of a, b, c and T with the attributes filled in as literals.

        dtypes, numbers: as in ExpressionUse; float32 and unknown where they are not given.
        """
        if isinstance(self.expression, str):
            text = self.expression
        else:
            missing = (DType.FLOAT32,) * (self.arity - len(dtypes))
            unknown = (None,) * (self.arity - len(numbers))
            text = self.expression(ExpressionUse(attrs, (*dtypes, *missing), (*numbers, *unknown)))
        for key, value in attrs.items():
            if isinstance(value, int | float):
                text = text.replace("{" + key + "}", c_float(float(value)))
        return text


def c_float(value: float) -> str:
    """An OpenCL C float literal that reads back as the same float32."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    text = f"{np.float32(value):.9g}"
    if not any(mark in text for mark in ".e"):
        text += ".0"
    return f"({text}f)" if value < 0 else f"{text}f"


def c_number(value: float, dtype: DType) -> str:
    """An OpenCL C literal of a number in a dtype; infinities become the ends of an integer's range."""
    if dtype is DType.FLOAT64 and math.isfinite(value):
        return f"({float(value)!r})"
    if dtype.is_float:
        return c_float(float(value))
    if dtype is DType.BOOL:
        return str(int(bool(value)))
    limits = np.iinfo(dtype.numpy)
    whole = limits.min if value == -math.inf else limits.max if value == math.inf else int(value)
    suffix = ("U" if limits.min == 0 else "") + ("L" if dtype.itemsize == 8 else "")
    if whole < 0:  # the most negative integer has no literal: its absolute value does not fit
        return f"(-{-(whole + 1)}{suffix} - 1)"
    return f"{whole}{suffix}"

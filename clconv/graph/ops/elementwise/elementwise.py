"""Element-wise operators: one row each makes the operator, its kernel and every fused epilogue.

The OpenCL expression works on a scalar and on a vector alike. `a`, `b`, `c` are the operands, `T` is the
compute type (scalar or vector) and `{name}` an attribute, written as a literal. It says `a < b ? x : y`
rather than min and max: PoCL does not inline those builtins, and NaN must pass through.

The rows are in `activations.py`, `arithmetic.py` and `logic.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from clconv.graph.ir import Attributes, DType, Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, Op, broadcast_shapes, register
from clconv.graph.ops.elementwise.activations import ACTIVATIONS
from clconv.graph.ops.elementwise.arithmetic import ARITHMETIC
from clconv.graph.ops.elementwise.logic import LOGIC
from clconv.graph.ops.elementwise.row import Row, c_float
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import converted
from clconv.graph.rules import images, transposed

__all__ = ["ROWS", "Row", "apply_row", "c_float"]

ROWS: Mapping[str, Row] = {row.name: row for row in (*ACTIVATIONS, *ARITHMETIC, *LOGIC)}


def _infer(row: Row, call: Call) -> Sequence[TensorSpec]:
    data = [s for s in call.specs if s is not None]
    if row.condition_first:
        call.expect(data[0].dtype is DType.BOOL, "the condition must be bool")
        data = data[1:]
    dtypes = {s.dtype for s in data}
    # Pow's exponent may have a dtype of its own.
    if len(dtypes) != 1 and row.name != "Pow":
        call.fail(f"inputs have different dtypes {sorted(d.value for d in dtypes)}")
    dtype = data[0].dtype
    fits = {
        "float": dtype.is_float,
        "number": dtype is not DType.BOOL,
        "int": dtype.numpy.kind in "iu",
        "bool": dtype is DType.BOOL,
        "any": True,
    }[row.kind]
    call.expect(fits, f"takes {row.kind} tensors, got {dtype.value}")
    shape = broadcast_shapes(call, *(s.shape for s in call.specs if s is not None))
    if row.name == "PRelu":
        call.expect(shape == data[0].shape, "the slope must broadcast to the input's shape")
    return [TensorSpec(shape, row.result or dtype)]


def apply_row(row: Row, attrs: Attributes, *arrays: np.ndarray | None) -> np.ndarray:
    """The row's NumPy function, floats computed in float64 and returned in the inputs' dtype."""
    first = next(a for a in (arrays[1:] if row.condition_first else arrays) if a is not None)
    wide = [a.astype(np.float64) if a is not None and a.dtype.kind == "f" else a for a in arrays]
    with np.errstate(all="ignore"):
        result = wide[0]
        if row.variadic:
            for other in wide[1:]:
                result = row.numpy(attrs, result, other)
        else:
            absent = [None] * (row.arity - len(wide))
            result = row.numpy(attrs, *wide, *absent)
        return converted(np.asarray(result), row.result.numpy if row.result else first.dtype)


def _cost(
    row: Row, node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
) -> Cost:
    moved = sum(s.nbytes for s in (*inputs, *outputs) if s is not None)
    return Cost(row.flops * outputs[0].size * max(1, len(inputs) - 1), moved)


def _register(row: Row) -> None:
    most = None if row.variadic else row.arity
    least = 1 if row.variadic else row.arity - row.optional
    register(
        Op(
            row.name,
            infer=lambda call: _infer(row, call),
            reference=lambda attrs, *arrays: apply_row(row, attrs, *arrays),
            cost=lambda node, inputs, outputs: _cost(row, node, inputs, outputs),
            attributes=row.attributes,
            inputs=(least, most),
            hooks=_hooks(row),
        )
    )


def _hooks(row: Row) -> Hooks:
    return Hooks(
        known=None,  # follows from the row: passes/facts.py
        shape_input=None,
        transposed=transposed.pointwise,
        images=images.elementwise,
        half=Half.narrowed(follows=True)
        if row.kind in ("float", "number", "any")
        else Half("kept", follows=True),
        epilogue=row.is_step,
        pad=False,
        keeps_elements=False,
        gradient=row.gradient,
    )


for _row in ROWS.values():
    _register(_row)

"""Gemm of few rows and a large matrix that only the run brings, on CPUs: y^T = B^T A^T, and y from that.

Packing B would take as long as the product: it is read and written once more for a few rows. So the few rows are what is
packed, and the large matrix is read as it lies, once. A dense layer that learns has such a product in its way forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clconv.graph.ir import RUNNING, DType
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.gemm.shape import alpha_of, beta_of
from clconv.lowering.shared.composite import Composite, Value
from clconv.lowering.shared.product import Product

_LEAST = 1 << 18  # elements of B: smaller ones stay in the cache between packing and product
_MOST_ROWS = 4  # in vectors: for more rows the packed matrix pays
_MORE_COLUMNS = 8  # than rows, at least, so that turning the result costs little


def _applies(problem: Problem) -> str | None:
    if not problem.device.is_cpu:
        return "is for CPU devices"
    if problem.is_constant(1):
        return "needs a right-hand matrix that is no constant"
    if any(s is not None and s.dtype is not DType.FLOAT32 for s in problem.inputs):
        return "needs float32"
    product, most = Product.of(problem), _MOST_ROWS * problem.device.vector_width
    if not 1 < product.rows <= most or product.columns < _MORE_COLUMNS * product.rows:
        return f"needs 2 to {most} rows and {_MORE_COLUMNS} times as many columns"
    if problem.input(1).size < _LEAST or not product.inner:
        return f"needs a right-hand matrix of at least {_LEAST} elements"
    if problem.has(2) and beta_of(problem) != 1:
        return "needs beta 1"
    node = problem.node
    if not node.attrs.transB:
        return "needs columns that lie in one piece (transB)"
    if any(k != RUNNING and not node.inputs[k] for step in node.epilogue for k in step.operands):
        return "takes no step whose operand is absent"
    return None


def _lower(problem: Problem) -> Lowered:
    composite, node = Composite(problem), problem.node
    sides = {"transA": 1 - node.attrs.transB, "transB": 1 - node.attrs.transA}
    given = [composite.input(1), composite.input(0)]
    turned = composite.emit("Gemm", given, alpha=alpha_of(problem), beta=1.0, **sides)
    steps: list[Callable[[Value, Value | None], Value]] = [
        lambda value, target: composite.emit("Transpose", [value], target, perm=(1, 0))
    ]

    def then(op: str, places: tuple[int, ...], attrs: Any) -> None:
        def step(value: Value, target: Value | None) -> Value:
            operands = [value if k == RUNNING else composite.input(k) for k in places]
            return composite.emit(op, operands, target, **attrs)

        steps.append(step)

    if problem.has(2):
        then("Add", (RUNNING, 2), {})
    for each in node.epilogue:
        then(each.op, each.operands, dict(each.attrs))
    for step in steps[:-1]:
        turned = step(turned, None)
    steps[-1](turned, composite.output(0))
    return composite.lowered()


TURNED = Variant("Gemm", "turned", _applies, _lower)

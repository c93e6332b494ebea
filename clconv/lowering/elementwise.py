"""Variants of the element-wise operators: flat vectors in any layout, and broadcasting by strides."""

from __future__ import annotations

from clconv.graph.ir import PLAIN, Layout
from clconv.graph.ops.elementwise import ROWS
from clconv.lowering.epilogue import Operand, Term, plan_epilogue
from clconv.lowering.kernel import (
    Argument,
    Kernel,
    Lowered,
    Problem,
    Scalar,
    Signature,
    Variant,
    Write,
    register,
)


def _flat_applies(problem: Problem) -> str | None:
    if any(s is not None and s.dtype.value != "float32" for s in (*problem.inputs, problem.y)):
        return "needs float32"
    if any(s is None or s.shape != problem.y.shape for s in problem.inputs):
        return "needs operands of the output's shape"
    return None


def _flat_signatures(problem: Problem) -> list[Signature]:
    layouts = [PLAIN]
    if problem.device.is_cpu and problem.y.rank >= 3:
        layouts.append(Layout(problem.device.vector_width))
    return [Signature((x,) * len(problem.inputs), (x,)) for x in layouts]


def _flat_lower(problem: Problem) -> Lowered:
    row = ROWS[problem.node.op]
    names = tuple(f"x{i}" for i in range(len(problem.node.op_inputs)))
    width = problem.device.vector_width
    own = Term(row.c_expression(problem.node.attrs), tuple(Operand("full", n) for n in names))
    epilogue = plan_epilogue(problem)
    kernel = Kernel.of(
        "elementwise/flat.cl.mako", "elementwise_flat", width=width,
        inputs=names, terms=(own, *epilogue.terms), epilogue_names=epilogue.names,
    )  # fmt: skip
    total = problem.y.nbytes // 4
    chunk = -(-max(256, total // (8 * problem.device.compute_units)) // width) * width
    arguments: list[tuple[str, Argument]] = [
        *((n, problem.argument(i)) for i, n in enumerate(names)),
        ("y", Write(problem.node.outputs[0])),
        ("total", Scalar(total)),
        ("chunk", Scalar(chunk)),
        *epilogue.arguments,
    ]
    return Lowered((problem.call(kernel, arguments, (-(-total // chunk),)),))


for _name, _row in ROWS.items():
    if _row.arity == 1 and _row.result is None:
        register(Variant(_name, "flat", _flat_applies, _flat_lower, _flat_signatures))

"""Pointwise: several element-wise steps with several results in one kernel."""

from __future__ import annotations

from clconv.graph.ir import Attributes
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.graph.ops.elementwise.row import c_number
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.ctext import vector_type
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import computed
from clconv.lowering.shared.blocked import c_type, stored_obstacle
from clconv.lowering.shared.epilogue import Term
from clconv.lowering.shared.work_split import elements_per_item, items


def _lower(problem: Problem) -> Lowered:
    total = problem.y.size
    if not total:
        return Lowered()
    device, type_ = problem.device, c_type(problem.y.dtype)
    width = 1 if type_ != "float" else device.vector_width if device.is_cpu else 4
    read = [i for i in range(len(problem.inputs)) if _number(problem, i) is None]
    singles = [i for i in read if problem.input(i).size == 1 != total]
    full = [i for i in read if i not in singles]
    kernel = Kernel.of(
        "elementwise/pointwise.cl.mako",
        "elementwise_pointwise",
        type=type_,
        width=width,
        inputs=tuple(f"x{i}" for i in full),
        singles=tuple(f"x{i}" for i in singles),
        terms=_terms(problem, type_, width),
        results=tuple(problem.node.attrs.results),
        aligned=not device.is_cpu,
    )
    per_item = elements_per_item(device, total, width)
    arguments: list[tuple[str, Argument]] = [
        *((f"x{i}", problem.argument(i)) for i in (*full, *singles)),
        *((f"y{i}", Write(name)) for i, name in enumerate(problem.node.outputs)),
        ("total", Scalar(total, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    call = problem.call(kernel, arguments, (items(total, per_item),))
    return Lowered((call.reading_in_place(f"x{i}" for i in full),))


def _number(problem: Problem, index: int) -> float | None:
    """The value of an input that is a constant of one element, which the kernel's text holds."""
    if problem.input(index).size != 1 or (value := problem.constant(index)) is None:
        return None
    return float(value.reshape(-1)[0])


def _terms(problem: Problem, type_: str, width: int) -> tuple[tuple[str, str], ...]:
    """C text of each step, for a vector and for a scalar."""
    dtype = computed(problem.y.dtype)
    found = []
    for op, *operands in problem.node.attrs.steps:
        numbers = [_number(problem, o) if o >= 0 else None for o in operands]
        term = Term(ROWS[op].c_expression(Attributes(), [dtype] * len(operands), numbers), ())
        texts = []
        for vector in (vector_type(width, type_), type_):
            names = [
                f"t{-1 - o}"
                if o < 0
                else f"v_x{o}"
                if n is None
                else f"(({vector})({c_number(n, dtype)}))"
                for o, n in zip(operands, numbers, strict=True)
            ]
            texts.append(term.c_text(vector, tuple(names)))
        found.append((texts[0], texts[1]))
    return tuple(found)


register(Variant("Pointwise", "flat", stored_obstacle, _lower))

"""Variants of GlobalAveragePool, GlobalMaxPool and GlobalLpPool."""

from __future__ import annotations

import math

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import (
    Lowered,
    Problem,
    Signature,
    Variant,
    plain_signature,
    register,
)
from clconv.lowering.shared.blocked import (
    blocked_obstacle,
    blocked_signatures,
    c_type,
    stored_obstacle,
)
from clconv.lowering.shared.composite import Composite
from clconv.lowering.shared.epilogue import Epilogue, epilogue_obstacle, plan_epilogue
from clconv.lowering.shared.groups import group_call, group_obstacle
from clconv.lowering.shared.reduction import FLOAT_REDUCTIONS, Reduction, norm_reduction
from clconv.lowering.shared.split_lines import line_variants, split_reduction
from clconv.lowering.shared.work_split import items

_KINDS = {"GlobalMaxPool": "max", "GlobalAveragePool": "average", "GlobalLpPool": "lp"}
_REDUCTIONS = {"GlobalMaxPool": "ReduceMax", "GlobalAveragePool": "ReduceMean"}


def _blocked_applies(problem: Problem) -> str | None:
    return blocked_obstacle(problem, most_axes=problem.x.rank)  # all axes are one row of pixels


def _lower(problem: Problem, block: int, template: str, epilogue: Epilogue) -> Lowered:
    """One work-item for each block of channels of each image."""
    x = problem.x
    if problem.y.size == 0:
        return Lowered()
    blocks = -(-x.shape[1] // block)
    kernel = Kernel.of(
        f"pool/global/{template}.cl.mako",
        f"global_pool_{template}",
        kind=_KINDS[problem.node.op],
        power=problem.node.attrs.get("p", 1),
        type=c_type(x.dtype),
        **({"block": block} if template == "blocked" else {}),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        ("pixels", Scalar(math.prod(x.shape[2:]))),
        *epilogue.arguments,
    ]
    return Lowered((problem.call(kernel, arguments, (blocks, x.shape[0])),))


def _blocked_signatures(problem: Problem) -> list[Signature]:
    """Blocks; or rows of pixels as they are, which a reduction reads in less time than it takes to make blocks of them."""
    found = blocked_signatures(problem)
    is_reduction = problem.node.op in _REDUCTIONS and not problem.node.epilogue
    return [*found, *plain_signature(problem)] if is_reduction else found


def _blocked_lower(problem: Problem) -> Lowered:
    block = problem.device.vector_width
    if problem.x.layout.is_plain and problem.y.size:
        composite, (rows, pixels, _) = Composite(problem), _lines(problem)
        x, y = composite.input(0).reshaped(rows, pixels), composite.output(0, rows)
        composite.emit(_REDUCTIONS[problem.node.op], [x, [1]], y, keepdims=0)
        return composite.lowered()
    return _lower(problem, block, "blocked", plan_epilogue(problem, block))


def _simple_lower(problem: Problem) -> Lowered:
    return _lower(problem, 1, "simple", plan_epilogue(problem))


def _group_applies(problem: Problem) -> str | None:
    return group_obstacle(problem) or epilogue_obstacle(problem)


def _lines(problem: Problem) -> tuple[int, int, int]:
    """(outer, n, inner): the pixels of each channel are a line."""
    x = problem.x
    return x.shape[0] * x.shape[1], math.prod(x.shape[2:]), 1


def _reduction(problem: Problem) -> Reduction:
    name = _REDUCTIONS.get(problem.node.op)
    if name is None:
        return norm_reduction(problem.node.attrs.get("p", 1))
    return FLOAT_REDUCTIONS[name]


def _group_lower(problem: Problem) -> Lowered:
    epilogue = plan_epilogue(problem)
    call = group_call(problem, _lines(problem), _reduction(problem), epilogue=epilogue)
    return Lowered((call,))


def _split_lower(problem: Problem) -> Lowered:
    epilogue = plan_epilogue(problem)
    return split_reduction(problem, _lines(problem), _reduction(problem), epilogue=epilogue)


def _simple_rounds(problem: Problem) -> int:
    pixels = math.prod(problem.x.shape[2:])
    return pixels + items(pixels, 256)


for _op in _KINDS:
    register(
        *line_variants(_op, _lines, _group_applies, _group_lower, _split_lower, lambda problem: 2),
        Variant(_op, "blocked", _blocked_applies, _blocked_lower, _blocked_signatures),
        Variant(_op, "simple", stored_obstacle, _simple_lower, rounds=_simple_rounds),
    )

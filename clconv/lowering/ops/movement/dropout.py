"""The variant of Dropout in training: what to drop is drawn where it is applied."""

from __future__ import annotations

from clconv.graph.ops.movement.philox import LANES, MULTIPLIERS, ROUNDS, WEYL
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import double_obstacle
from clconv.lowering.shared.work_split import elements_per_item, items

_WORK = 8  # an element costs about as much as so many of a sum


def _applies(problem: Problem) -> str | None:
    training = problem.constant(2)
    if training is None or not training.any():
        return "is for training"
    return double_obstacle(problem)


def _lower(problem: Problem) -> Lowered:
    total, device = problem.x.size, problem.device
    named = dict(zip(("y", "mask"), problem.node.outputs, strict=False))
    if not total or not any(named.values()):
        return Lowered()
    width = LANES if device.is_cpu else 1
    kernel = Kernel.of(
        "movement/dropout.cl.mako",
        "dropout",
        width=width,
        type=c_type(problem.x.dtype),
        result=bool(named["y"]),
        mask=bool(named.get("mask")),
        given=problem.has(3),
        ratio=c_type(problem.input(1).dtype) if problem.has(1) else None,
        multipliers=MULTIPLIERS,
        weyl=WEYL,
        rounds=ROUNDS,
    )
    blocks = items(total, 4 * LANES) * (LANES // width)
    share = elements_per_item(device, _WORK * total, 4 * width * _WORK) // (4 * width * _WORK)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        *([("ratio", problem.argument(1))] if problem.has(1) else []),
        *([("random", problem.argument(3))] if problem.has(3) else []),
        *((name, Write(value)) for name, value in named.items() if value),
        ("seed", Scalar(problem.node.attrs.seed % 2**64, "ulong")),
        ("total", Scalar(total, "long")),
        ("share", Scalar(share)),
    ]
    return Lowered((problem.call(kernel, arguments, (items(blocks, share),)),))


register(Variant("Dropout", "draw", _applies, _lower))

"""Variants of BatchNormalization in training mode and of its gradient on GPUs: work-groups share a channel."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.ops.norm.batch_arguments import (
    gradient_operands,
    numbers,
    operands,
    training_obstacle,
)
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.groups import group_estimate, group_obstacle, most_items
from clconv.lowering.shared.reduction import FLOAT_REDUCTIONS
from clconv.lowering.shared.work_split import items
from clconv.records import record

_MOST_ITEMS = 256
_TURNS = 4  # of an item's loop over its chunk, at least
_SUM = FLOAT_REDUCTIONS["ReduceSum"]


@record(frozen=True)
class _Chunks:
    """The elements of each channel, cut into `count` chunks, the last one shorter."""

    channels: int
    pixels: int
    total: int
    members: int
    chunk: int

    @property
    def count(self) -> int:
        return items(self.total, self.chunk)

    @classmethod
    def of(cls, problem: Problem) -> _Chunks:
        batch, channels, *spatial = problem.x.shape
        pixels = math.prod(spatial)
        total = batch * pixels
        members = most_items(problem.device, min(_MOST_ITEMS, total), 4)
        wanted = items(4 * problem.device.compute_units, channels)
        chunk = max(items(total, wanted), min(total, _TURNS * members))
        return cls(channels, pixels, total, members, chunk)

    def arguments(self) -> list[tuple[str, Argument]]:
        names = ("channels", "pixels", "total", "chunk", "chunks")
        values = (self.channels, self.pixels, self.total, self.chunk, self.count)
        return [(name, Scalar(value)) for name, value in zip(names, values, strict=True)]

    def call(
        self,
        problem: Problem,
        template: str,
        arguments: Sequence[tuple[str, Argument]],
        **settings: Hashable,
    ) -> KernelCall:
        kernel = Kernel.of(
            f"norm/batch/{template}.cl.mako",
            f"batch_norm_{template}",
            members=self.members,
            sum=_SUM,
            **settings,
        )
        sizes = (self.channels * self.members, self.count)
        return problem.call(kernel, arguments, sizes, (self.members, 1))


def _applies(problem: Problem) -> str | None:
    return group_obstacle(problem) or training_obstacle(problem)


def _lower(problem: Problem) -> Lowered:
    cut, epilogue, parts = _Chunks.of(problem), plan_epilogue(problem), f"{problem.node.name}:parts"
    outputs, more = operands(problem)
    settings: dict[str, Hashable] = {
        "outputs": outputs,
        "epilogue": epilogue.terms,
        "epilogue_names": epilogue.names,
        **numbers(problem),
    }
    x, sizes = ("x", problem.argument(0)), cut.arguments()
    early = [x, ("parts", Write(parts)), *sizes]
    late = [x, ("parts", Read(parts)), *more, *sizes, *epilogue.arguments]
    calls = (
        cut.call(problem, "group", early, stage="statistics", **settings),
        cut.call(problem, "group", late, stage="apply", **settings),
    )
    return Lowered(calls, {parts: 16 * cut.count * cut.channels})


def _gradient_lower(problem: Problem) -> Lowered:
    cut, parts = _Chunks.of(problem), f"{problem.node.name}:parts"
    settings, first, more = gradient_operands(problem)
    sizes = cut.arguments()
    early = [*first, ("parts", Write(parts)), *sizes]
    late = [*first, ("parts", Read(parts)), *more, *sizes]
    calls = (
        cut.call(problem, "group_gradient", early, stage="sums", **settings),
        cut.call(problem, "group_gradient", late, stage="apply", **settings),
    )
    return Lowered(calls, {parts: 12 * cut.count * cut.channels})


register(
    Variant("BatchNormalization", "train_groups", _applies, _lower, estimate=group_estimate),
    Variant(
        "BatchNormalizationGradient", "groups", _applies, _gradient_lower, estimate=group_estimate
    ),
)

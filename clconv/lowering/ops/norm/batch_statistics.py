"""Variants of BatchNormalization in training mode and of its gradient on CPUs, and those that always apply.

Where there are channels enough, each is one work-item's from its statistics to its result, so that its second pass finds
in the cache what the first one read. Else several share a channel, in two launches.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.choice.limits import size_obstacle
from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.model.obstacles import computed, double_obstacle, has_double
from clconv.lowering.ops.norm.batch_arguments import (
    GRADIENT,
    gradient_operands,
    numbers,
    operands,
    outputs_of,
    training_obstacle,
)
from clconv.lowering.shared.blocked import blocked_signature
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.reduction import FLOAT_REDUCTIONS, Reduction
from clconv.lowering.shared.work_split import items, nested
from clconv.records import record

_SUM = FLOAT_REDUCTIONS["ReduceSum"]
_OWN = Reduction("(T)(0)", "a + b", "v - top")
_SQUARES = Reduction("(T)(0)", "a + b", "(v - top - own) * (v - top - own)")
_RUN = 4096  # bytes of a run, of which a first-level cache holds several
_LEAST = 1 << 14  # elements of a chunk


# --- channels: vectors of pixels, or of channels on channel blocks --------------------------------------


@record(frozen=True)
class _Work:
    """How the work is cut: work-items a channel (or a block of channels), and how many runs each does."""

    block: int
    lanes: int
    pixels: int
    run: int
    all_runs: int
    chunks: int

    @classmethod
    def of(cls, problem: Problem) -> _Work:
        batch, channels, *spatial = problem.x.shape
        pixels, block = math.prod(spatial), problem.x.layout.block
        lanes, run = items(channels, block), _RUN // (4 * block)
        all_runs, units = batch * items(pixels, run), problem.device.compute_units
        chunks = 1
        if lanes < 4 * units and lanes % units:
            most = max(1, batch * pixels * block // _LEAST)
            chunks = min(items(4 * units, lanes), most, all_runs)
        return cls(block, lanes, pixels, run, all_runs, items(all_runs, items(all_runs, chunks)))

    def arguments(self, channels: int) -> list[tuple[str, Argument]]:
        sizes: Mapping[str, int] = {
            "channels": channels,
            "lanes": self.lanes,
            "pixels": self.pixels,
            "runs": items(self.pixels, self.run),
            "all_runs": self.all_runs,
            "chunk_runs": items(self.all_runs, self.chunks),
            "chunks": self.chunks,
        }
        return [(name, Scalar(value)) for name, value in sizes.items()]


def _channels_applies(problem: Problem) -> str | None:
    specs = (*problem.inputs, *problem.outputs)
    if any(s is not None and computed(s.dtype) is not DType.FLOAT32 for s in specs):
        return "needs float32 or float16"
    if not problem.device.is_cpu or problem.device.vector_width == 1:
        return "needs a CPU device with vectors"
    if problem.x.rank < 3:
        return "needs (batch, channels, spatial...)"
    blocked = problem.x.with_layout(Layout(problem.device.vector_width))
    return size_obstacle(blocked, problem.device) or training_obstacle(problem)


def _channels_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    if problem.node.op == "BatchNormalization":
        return [blocked_signature(problem, x, x) for x in (blocked, PLAIN)]
    statistics = (PLAIN,) * 3
    return [
        Signature((x, x, *statistics), tuple(x if s.rank > 1 else PLAIN for s in problem.outputs))
        for x in (blocked, PLAIN)
    ]


def _channels_lower(problem: Problem) -> Lowered:
    if problem.x.size == 0:
        return Lowered()
    work = _Work.of(problem)
    epilogue = plan_epilogue(problem, work.block)
    outputs, more = operands(problem)
    settings: dict[str, Hashable] = {
        "total": _SUM,
        "own": _OWN,
        "squares": _SQUARES,
        "outputs": outputs,
        "epilogue": epilogue.terms,
        "epilogue_names": epilogue.names,
        **numbers(problem),
    }
    first = [("x", problem.argument(0))]
    return _staged(problem, work, "train", settings, first, more, list(epilogue.arguments))


def _gradient_lower(problem: Problem) -> Lowered:
    if problem.x.size == 0:
        return Lowered()
    settings, first, more = gradient_operands(problem)
    return _staged(problem, _Work.of(problem), "gradient", settings, first, more, [])


def _staged(
    problem: Problem,
    work: _Work,
    template: str,
    settings: Mapping[str, Hashable],
    first: Sequence[tuple[str, Argument]],
    more: Sequence[tuple[str, Argument]],
    last: Sequence[tuple[str, Argument]],
) -> Lowered:
    """One launch, or, where several work-items share a channel, one for parts of the statistics and one for the rest; but
    for parts that the kernel left which made the tensor."""
    parts = f"{problem.node.name}:parts"
    sizes = work.arguments(problem.x.shape[1])

    def call(stage: str, *arguments: tuple[str, Argument]) -> KernelCall:
        kernel = Kernel.of(
            f"norm/batch/{template}.cl.mako",
            f"batch_norm_{template}",
            block=work.block,
            width=problem.device.vector_width,
            run=work.run,
            stage=stage,
            **settings,
        )
        return problem.call(kernel, [*first, *arguments], (work.lanes, work.chunks))

    if problem.moments is not None:
        left = [*sizes[:-1], (sizes[-1][0], Scalar(problem.moments.parts))]
        arguments = (("parts", Read(problem.moments.name)), *more, *left, *last)
        return Lowered((call("apply", *arguments),))
    if work.chunks == 1:
        return Lowered((call("both", *more, *sizes, *last),))
    early = "statistics" if template == "train" else "sums"
    fields = 4 if template == "train" else 3
    calls = (
        call(early, ("parts", Write(parts)), *sizes),
        call("apply", ("parts", Read(parts)), *more, *sizes, *last),
    )
    return Lowered(calls, {parts: 4 * fields * work.chunks * work.lanes * work.block})


# --- simple: by definition ------------------------------------------------------------------------------


def _simple_applies(problem: Problem) -> str | None:
    return double_obstacle(problem) or training_obstacle(problem)


def _wide(problem: Problem) -> str:
    double = problem.device.is_cpu and has_double(problem.device)
    return "double" if double or problem.x.dtype is DType.FLOAT64 else "float"


def _simple(
    problem: Problem, template: str, arguments: Sequence[tuple[str, Argument]], **settings: Hashable
) -> Lowered:
    kernel = Kernel.of(
        f"norm/batch/{template}.cl.mako",
        f"batch_norm_{template}",
        type=c_type(problem.x.dtype),
        wide=_wide(problem),
        **settings,
    )
    return Lowered((problem.call(kernel, arguments, (problem.x.shape[1],)),))


def _sizes(problem: Problem) -> list[tuple[str, Argument]]:
    batch, channels, *spatial = problem.x.shape
    sizes = {"images": batch, "channels": channels, "pixels": math.prod(spatial)}
    return [(name, Scalar(value, "long")) for name, value in sizes.items()]


def _simple_lower(problem: Problem) -> Lowered:
    if problem.x.size == 0:
        return Lowered()
    epilogue = plan_epilogue(problem)
    outputs, more = operands(problem)
    arguments = [("x", problem.argument(0)), *more, *_sizes(problem), *epilogue.arguments]
    return _simple(
        problem, "simple", arguments, outputs=outputs, epilogue=epilogue.terms,
        epilogue_names=epilogue.names, **numbers(problem),
    )  # fmt: skip


def _simple_gradient_lower(problem: Problem) -> Lowered:
    if problem.x.size == 0:
        return Lowered()
    given = outputs_of(problem, GRADIENT)
    read = [
        (n, problem.argument(i))
        for i, n in ((0, "x"), (1, "dy"), (3, "mean"), (2, "scale"), (4, "inverse"))
    ]
    return _simple(
        problem, "simple_gradient", [*read, *given, *_sizes(problem)],
        training=bool(problem.node.attrs.training_mode), outputs=tuple(name for name, _ in given),
    )  # fmt: skip


def _simple_rounds(problem: Problem) -> int:
    batch, _, *spatial = problem.x.shape
    return 4 * nested(batch, math.prod(spatial))


register(
    Variant(
        "BatchNormalization",
        "train_channels",
        _channels_applies,
        _channels_lower,
        _channels_signatures,
        takes_moments=True,
    ),
    Variant(
        "BatchNormalization", "train_simple", _simple_applies, _simple_lower, rounds=_simple_rounds
    ),
    Variant(
        "BatchNormalizationGradient",
        "channels",
        _channels_applies,
        _gradient_lower,
        _channels_signatures,
    ),
    Variant(
        "BatchNormalizationGradient",
        "simple",
        _simple_applies,
        _simple_gradient_lower,
        rounds=_simple_rounds,
    ),
)

"""Few long lines on a GPU: each is cut into chunks, so that several work-groups share it.

Every group leaves its chunk's part of the result in a scratch buffer; the groups of the next launch join the
parts before they go on, so that a mean, say, costs no launch of its own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Mapping, Sequence

from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import AUTO, Lowered, Problem, Variant
from clconv.lowering.shared.epilogue import Epilogue
from clconv.lowering.shared.groups import WorkSplit
from clconv.lowering.shared.reduction import LARGEST, Reduction
from clconv.lowering.shared.tiles import memory_rate
from clconv.records import record

Sizes = tuple[int, int, int]  # (outer, n, inner): lines along the middle axis

_LAUNCH = 5e-6  # seconds that one more launch in a queue takes, roughly
_LEAST_TURNS = 4  # of a group's loop over its chunk, before there are more chunks
_NOTHING = Epilogue()

# What `clconv tune` may choose instead of Split.usual_count().
SPLIT_SPACE: dict[str, tuple[int | str, ...]] = {"splits": (AUTO, 2, 4, 8, 16, 32, 64, 128)}

# What LogSumExp takes elements relative to, from the largest: an infinite one or NaN is not taken out.
SHIFT = dataclasses.replace(LARGEST, finish="a - a == 0 ? a : (T)(0)")


@record(frozen=True)
class Split:
    """How the lines of a tensor (outer, n, inner) are cut: `count` chunks of `chunk` elements each, the last shorter.

    work_split: how the work-items of one group share the chunks of neighbouring lines.
    """

    work_split: WorkSplit
    sizes: Sizes
    chunk: int
    count: int

    @classmethod
    def of(cls, problem: Problem, sizes: Sizes) -> Split:
        work_split = WorkSplit.of(problem.device, *sizes)
        n, turn = sizes[1], work_split.items * work_split.width
        wanted = problem.parameters.get("splits") or usual_count(problem, sizes)
        chunk = -(-n // (wanted * turn)) * turn
        return cls(dataclasses.replace(work_split, split=True), sizes, chunk, -(-n // chunk))

    @property
    def lines(self) -> int:
        return self.sizes[0] * self.sizes[2]

    @property
    def nbytes(self) -> int:
        """Of a scratch buffer of parts."""
        return 4 * self.count * self.lines

    def arguments(self) -> list[tuple[str, Argument]]:
        names = ("outer", "n", "inner", "chunk", "splits")
        return [
            (name, Scalar(value))
            for name, value in zip(names, (*self.sizes, self.chunk, self.count), strict=True)
        ]

    def call(
        self, problem: Problem, kernel: Kernel, arguments: Sequence[tuple[str, Argument]]
    ) -> KernelCall:
        """A launch of a group for each chunk of each line."""
        (whole,), (local,) = self.work_split.sizes(self.sizes[0], self.sizes[2])
        return problem.call(kernel, arguments, (whole, self.count), (local, 1))

    def part_call(
        self,
        problem: Problem,
        op: Reduction,
        parts: str,
        top: Reduction | None = None,
        top_parts: str = "",
        more: Reduction | None = None,
        more_parts: str = "",
    ) -> KernelCall:
        """The launch that leaves each chunk's part of a reduction in scratch `parts`. top: what the parts in
        scratch `top_parts` are joined to, which op reads. more: a second reduction, with parts of its own."""
        kernel = Kernel.of(
            "reduce/parts.cl.mako",
            "reduce_parts",
            work_split=self.work_split,
            op=op,
            top=top,
            more=more,
        )
        arguments: list[tuple[str, Argument]] = [
            ("x", problem.argument(0)),
            *([("top_parts", Read(top_parts))] if top is not None else []),
            *([("more_parts", Write(more_parts))] if more is not None else []),
            ("parts", Write(parts)),
            *self.arguments(),
        ]
        return self.call(problem, kernel, arguments)


def _groups(problem: Problem, sizes: Sizes) -> tuple[int, int]:
    """Work-groups if each line is one group's, and elements of a line that one takes at a time."""
    work_split = WorkSplit.of(problem.device, *sizes)
    (whole,), (local,) = work_split.sizes(sizes[0], sizes[2])
    return whole // local, work_split.items * work_split.width


def usual_count(problem: Problem, sizes: Sizes) -> int:
    """Chunks of a line that fill the device: a power of two, at least 2, with some turns of a group's loop each."""
    groups, turn = _groups(problem, sizes)
    count = 2
    while (
        groups * count < 2 * problem.device.compute_units
        and sizes[1] // (2 * count) >= _LEAST_TURNS * turn
    ):
        count *= 2
    return count


def _too_short(problem: Problem, sizes: Sizes | None) -> str | None:
    """Why lines of these sizes cannot be cut; None if they can."""
    if sizes is None or sizes[1] < 2 * _groups(problem, sizes)[1]:
        return "needs lines that are two turns of a work-group long"
    return None


def lines_estimate(problem: Problem, sizes: Sizes | None, launches: int = 0) -> float:
    """Infinite on CPUs; else the time to read and write the tensors by as many work-groups as there are.

    launches: of a variant that splits lines; 0 where each line is one group's.
    """
    if problem.device.is_cpu or sizes is None:
        return math.inf
    groups, _ = _groups(problem, sizes)
    if launches:
        groups *= Split.of(problem, sizes).count
    filled = min(1.0, groups / (2 * problem.device.compute_units))
    streamed = (problem.x.nbytes + problem.y.nbytes) / memory_rate(problem.device)
    return streamed / filled + max(launches, 1) * _LAUNCH


def split_reduction(
    problem: Problem,
    sizes: Sizes,
    op: Reduction,
    top: Reduction | None = None,
    epilogue: Epilogue = _NOTHING,
    across: int = 1,
) -> Lowered:
    """A reduction of the lines of the first input, finished with what is fused behind it. top: SHIFT or None.

    across: so many blocks of lines, the outermost axis, are reduced to one, too; not together with `top`.
    """
    split, y = Split.of(problem, sizes), problem.y
    names = {"top": f"{problem.node.outputs[0]}/tops", "": f"{problem.node.outputs[0]}/parts"}
    calls = [] if top is None else [split.part_call(problem, LARGEST, names["top"])]
    calls.append(split.part_call(problem, op, names[""], top, names["top"]))
    outer, n, inner = sizes
    n, parts = n * across, split.count * across
    if across > 1:  # (splits, across, lines) is a tensor of more splits
        outer, inner = 1, outer * inner // across
    work_split = WorkSplit.of(problem.device, outer, parts, inner)
    settings: Mapping[str, Hashable] = {
        "work_split": work_split, "op": op, "top": top,
        "epilogue": epilogue.terms, "epilogue_names": epilogue.names,
    }  # fmt: skip
    kernel = Kernel.of("reduce/finish.cl.mako", "reduce_finish", **settings)
    arguments: list[tuple[str, Argument]] = [
        *([("top_parts", Read(names["top"]))] if top is not None else []),
        ("parts", Read(names[""])),
        ("y", Write(problem.node.outputs[0])),
        ("outer", Scalar(outer)),
        ("n", Scalar(n)),
        ("inner", Scalar(inner)),
        ("splits", Scalar(parts)),
        ("channels", Scalar(y.shape[1] if y.rank > 1 else 1)),
        ("channel_size", Scalar(math.prod(y.shape[2:]))),
        *epilogue.arguments,
    ]
    calls.append(problem.call(kernel, arguments, *work_split.sizes(outer, inner)))
    used = names.values() if top is not None else [names[""]]
    return Lowered(tuple(calls), dict.fromkeys(used, split.nbytes))


def line_variants(
    op: str,
    sizes: Callable[[Problem], Sizes | None],
    applies: Callable[[Problem], str | None],
    group: Callable[[Problem], Lowered],
    split: Callable[[Problem], Lowered],
    launches: Callable[[Problem], int],
) -> tuple[Variant, Variant]:
    """The variants of an operator along lines: `group`, by one work-group each, and `split`, by several.

    sizes: None only where applies() has an obstacle for both. launches: of `split`.
    """
    return (
        Variant(
            op,
            "group",
            applies,
            group,
            estimate=lambda problem: lines_estimate(problem, sizes(problem)),
        ),
        Variant(
            op,
            "split",
            lambda problem: applies(problem) or _too_short(problem, sizes(problem)),
            split,
            estimate=lambda problem: lines_estimate(problem, sizes(problem), launches(problem)),
            space=SPLIT_SPACE,
        ),
    )

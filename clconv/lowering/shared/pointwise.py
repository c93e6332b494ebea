"""Point by point: kernels for a list of terms, each applied to every element of a result.

Three ways: flat vectors over operands that lie alike, channel blocks with operands that repeat over pixels or
channels, and broadcasting by strides. Element-wise operators and normalisations are written with these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from clconv.graph.ir import PLAIN, RUNNING, DType, EpilogueStep, Layout
from clconv.lowering.model.arguments import (
    Argument,
    Packed,
    Scalar,
    Write,
)
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant
from clconv.lowering.model.obstacles import computed
from clconv.lowering.shared.epilogue import TermOperand, channel_packing, is_channel_vector
from clconv.lowering.shared.point_work import PointWork, Shape
from clconv.lowering.shared.strided_points import by_strides
from clconv.lowering.shared.work_split import elements_per_item, items
from clconv.records import record

MOST_OPERANDS = 16  # buffers that one kernel reads; OpenCL promises room for a hundred arguments


def float_obstacle(problem: Problem, work: PointWork) -> str | None:
    if any(computed(problem.input(i).dtype) is not DType.FLOAT32 for i in work.read):
        return "needs float32 or float16 operands"
    if computed(problem.y.dtype) is not DType.FLOAT32:
        return "needs a float32 or float16 result"
    if len(work.read) > MOST_OPERANDS:
        return f"takes at most {MOST_OPERANDS} operands"
    if not work.read:
        return "needs an operand in memory"
    return None


# --- flat: operands that lie like the result ----------------------------------------------------------


def flat_obstacle(problem: Problem, work: PointWork) -> str | None:
    if any(shape != problem.y.shape for shape in work.read.values()):
        return "needs operands of the output's shape"
    return float_obstacle(problem, work)


def flat_signatures(problem: Problem) -> list[Signature]:
    layouts = [PLAIN]
    if problem.device.is_cpu and problem.y.rank >= 3:
        layouts.append(Layout(problem.device.vector_width))
    return [Signature((x,) * len(problem.inputs), (x,)) for x in layouts]


def flat(problem: Problem, work: PointWork) -> Lowered:
    total = problem.y.nbytes // problem.y.dtype.itemsize
    if total == 0:
        return Lowered()
    width = problem.device.vector_width if problem.device.is_cpu else 4
    kernel = Kernel.of(
        "elementwise/flat.cl.mako",
        "elementwise_flat",
        width=width,
        aligned=not problem.device.is_cpu,
        inputs=tuple(f"x{i}" for i in work.read),
        terms=work.terms(lambda i: TermOperand("full", f"x{i}")),
    )
    per_item = elements_per_item(problem.device, total, width)
    arguments: list[tuple[str, Argument]] = [
        *((f"x{i}", problem.argument(i)) for i in work.read),
        ("y", Write(problem.node.outputs[0])),
        ("total", Scalar(total, "long")),
        ("per_item", Scalar(per_item, "long")),
    ]
    call = problem.call(kernel, arguments, (items(total, per_item),))
    return Lowered((call.reading_in_place(f"x{i}" for i in work.read),))


# --- channel: blocks of channels, operands that repeat over pixels or channels --------------------------


@record(frozen=True)
class _Source:
    """Where an operand lies on channel blocks.

    kind: "full" (every element), "channel" (constant by channel), "gate" (one pixel for each channel),
    "mask" (one channel for all) or "single" (one element). batched: it differs between images.
    """

    kind: str
    batched: bool = False


def _source(problem: Problem, index: int, shape: Shape) -> _Source | None:
    """The source of an operand, None if the channel variant has no way to read it."""
    spec, y = problem.input(index), problem.y
    if spec.size == 1 and not problem.is_constant(index):
        return _Source("single")
    if problem.is_constant(index) and is_channel_vector(shape, y.shape):
        return _Source("channel")
    if spec.shape != shape or spec.rank != y.rank or spec.shape[0] not in (1, y.shape[0]):
        return None
    batched = spec.shape[0] == y.shape[0] and y.shape[0] > 1
    if spec.shape[1:] == y.shape[1:]:
        return _Source("full", batched)
    if spec.shape[1] == y.shape[1] and all(d == 1 for d in spec.shape[2:]):
        return _Source("gate", batched)
    if spec.shape[1] == 1 and spec.shape[2:] == y.shape[2:]:
        return _Source("mask", batched)
    return None


def _channel_obstacle(problem: Problem, work: PointWork) -> str | None:
    if not problem.device.is_cpu or problem.device.vector_width == 1:
        return "channel blocks are for CPU devices with vectors"
    if problem.y.rank < 3:
        return "needs (batch, channels, spatial...)"
    for index, shape in work.read.items():
        if _source(problem, index, shape) is None:
            return f"cannot read an operand of shape {problem.input(index).shape}"
    return float_obstacle(problem, work)


def _channel_signatures(problem: Problem, work: PointWork) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    layouts = [PLAIN] * len(problem.inputs)
    for index, shape in work.read.items():
        source = _source(problem, index, shape)
        if source is not None and source.kind in ("full", "gate"):
            layouts[index] = blocked
    return [Signature(tuple(layouts), (blocked,)), Signature((PLAIN,) * len(layouts), (PLAIN,))]


def _channel(problem: Problem, work: PointWork) -> Lowered:
    """On channel blocks; where the layouts are plain, by strides."""
    if problem.y.layout.is_plain:
        return by_strides(problem, work)
    batch, channels, *spatial = problem.y.shape
    pixels, block = math.prod(spatial), problem.y.layout.block
    if problem.y.size == 0:
        return Lowered()
    sources = {i: _source(problem, i, s) or _Source("full") for i, s in work.read.items()}
    kernel = Kernel.of(
        "elementwise/channel.cl.mako",
        "elementwise_channel",
        block=block,
        operands=tuple((i, s.kind, s.batched) for i, s in sources.items()),
        terms=work.terms(lambda i: TermOperand("variable", f"v{i}")),
    )
    blocks = -(-channels // block)
    per_item = elements_per_item(problem.device, batch * blocks * pixels * block) // block
    columns = min(pixels, per_item)
    rows = max(1, per_item // pixels)
    arguments: list[tuple[str, Argument]] = [
        *((f"x{i}", _channel_argument(problem, i, s, block)) for i, s in sources.items()),
        ("y", Write(problem.node.outputs[0])),
        ("batch", Scalar(batch)),
        ("blocks", Scalar(blocks)),
        ("pixels", Scalar(pixels)),
        ("rows", Scalar(rows)),
        ("columns", Scalar(columns)),
    ]
    size = (items(pixels, columns), items(batch * blocks, rows))
    return Lowered((problem.call(kernel, arguments, size),))


def channel_variant(op: str, work: Callable[[Problem], PointWork]) -> Variant:
    """The variant of an operator on channel blocks; work: of a node."""
    return Variant(
        op,
        "channel",
        lambda problem: _channel_obstacle(problem, work(problem)),
        lambda problem: _channel(problem, work(problem)),
        lambda problem: _channel_signatures(problem, work(problem)),
    )


def _channel_argument(problem: Problem, index: int, source: _Source, block: int) -> Argument:
    if source.kind == "channel":
        return Packed(problem.node.inputs[index], channel_packing(block))
    return problem.argument(index)


# --- broadcast: any ranks and dtypes, plain -------------------------------------------------------------


def operands_of(problem: Problem, steps: Sequence[EpilogueStep]) -> list[int]:
    """Inputs that a kernel for these steps reads from memory, each once."""
    indices = dict.fromkeys(i for step in steps for i in step.operands if i != RUNNING)
    return [
        i
        for i in indices
        if problem.node.inputs[i] and not (problem.is_constant(i) and problem.input(i).size == 1)
    ]

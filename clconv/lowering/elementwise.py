"""Variants of the element-wise operators: flat vectors in any layout, channel blocks with operands that
repeat over pixels or channels, and broadcasting by strides for everything.

A node is a list of steps: its own operator, a variadic one as a chain of pairs, then its epilogue. All of
them become one kernel.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from clconv.graph.ir import PLAIN, RUNNING, DType, EpilogueStep, Layout, Node
from clconv.graph.ops.elementwise import ROWS
from clconv.lowering.broadcast import broadcast
from clconv.lowering.epilogue import Operand, Term, channel_packing, is_channel_vector, make_term
from clconv.lowering.kernel import (
    Argument,
    Kernel,
    KernelCall,
    Lowered,
    Packed,
    Problem,
    Read,
    Scalar,
    Signature,
    Variant,
    Write,
    register,
)
from clconv.lowering.reorder import C_TYPES
from clconv.lowering.share import items, share_of

_MOST_OPERANDS = 16  # buffers that one kernel reads; OpenCL promises room for a hundred arguments


def steps_of(node: Node) -> tuple[EpilogueStep, ...]:
    """The node's own operator as steps, and its epilogue behind them."""
    row, arity = ROWS[node.op], len(node.op_inputs)
    if not row.variadic:
        own = [EpilogueStep(node.op, node.attrs, tuple(range(arity)))]
    else:
        own = [EpilogueStep(node.op, node.attrs, (0, 1))] if arity > 1 else []
        own += [EpilogueStep(node.op, node.attrs, (RUNNING, i)) for i in range(2, arity)]
    return (*own, *node.epilogue)


def _operands(problem: Problem, steps: Sequence[EpilogueStep]) -> list[int]:
    """Inputs that a kernel for these steps reads from memory, each once."""
    indices = dict.fromkeys(i for step in steps for i in step.operands if i != RUNNING)
    return [
        i
        for i in indices
        if problem.node.inputs[i] and not (problem.is_constant(i) and problem.input(i).size == 1)
    ]


def _terms(
    problem: Problem, steps: Sequence[EpilogueStep], place: Callable[[int], Operand]
) -> tuple[Term, ...]:
    if not steps:  # a sum of one
        return (Term("a", (place(0),)),)
    return tuple(make_term(problem, step, place) for step in steps)


def _float_obstacle(problem: Problem, read: Sequence[int]) -> str | None:
    if any(problem.input(i).dtype is not DType.FLOAT32 for i in read):
        return "needs float32 operands"
    if problem.y.dtype is not DType.FLOAT32:
        return "needs a float32 result"
    if len(read) > _MOST_OPERANDS:
        return f"takes at most {_MOST_OPERANDS} operands"
    if not read:
        return "needs an operand in memory"
    return None


# --- flat: operands that lie like the result ----------------------------------------------------------


def _flat_applies(problem: Problem) -> str | None:
    read = _operands(problem, steps_of(problem.node))
    if any(problem.input(i).shape != problem.y.shape for i in read):
        return "needs operands of the output's shape"
    return _float_obstacle(problem, read)


def _flat_signatures(problem: Problem) -> list[Signature]:
    layouts = [PLAIN]
    if problem.device.is_cpu and problem.y.rank >= 3:
        layouts.append(Layout(problem.device.vector_width))
    return [Signature((x,) * len(problem.inputs), (x,)) for x in layouts]


def _flat_lower(problem: Problem) -> Lowered:
    total = problem.y.nbytes // problem.y.dtype.itemsize
    if total == 0:
        return Lowered()
    width = problem.device.vector_width if problem.device.is_cpu else 4
    steps = steps_of(problem.node)
    read = _operands(problem, steps)
    kernel = Kernel.of(
        "elementwise/flat.cl.mako",
        "elementwise_flat",
        width=width,
        inputs=tuple(f"x{i}" for i in read),
        terms=_terms(problem, steps, lambda i: Operand("full", f"x{i}")),
    )
    share = share_of(problem.device, total, width)
    arguments: list[tuple[str, Argument]] = [
        *((f"x{i}", problem.argument(i)) for i in read),
        ("y", Write(problem.node.outputs[0])),
        ("total", Scalar(total, "long")),
        ("share", Scalar(share, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (items(total, share),)),))


# --- channel: blocks of channels, operands that repeat over pixels or channels --------------------------


@dataclasses.dataclass(frozen=True)
class _Source:
    """Where an operand lies on channel blocks.

    kind: "full" (every element), "channel" (constant by channel), "gate" (one pixel for each channel),
    "mask" (one channel for all) or "single" (one element). batched: it differs between images.
    """

    kind: str
    batched: bool = False


def _source(problem: Problem, index: int) -> _Source | None:
    """The source of an operand, None if the channel variant has no way to read it."""
    spec, y = problem.input(index), problem.y
    if spec.size == 1 and not problem.is_constant(index):
        return _Source("single")
    if problem.is_constant(index) and is_channel_vector(spec.shape, y.shape):
        return _Source("channel")
    if spec.rank != y.rank or spec.shape[0] not in (1, y.shape[0]):
        return None
    batched = spec.shape[0] == y.shape[0] and y.shape[0] > 1
    if spec.shape[1:] == y.shape[1:]:
        return _Source("full", batched)
    if spec.shape[1] == y.shape[1] and all(d == 1 for d in spec.shape[2:]):
        return _Source("gate", batched)
    if spec.shape[1] == 1 and spec.shape[2:] == y.shape[2:]:
        return _Source("mask", batched)
    return None


def _channel_applies(problem: Problem) -> str | None:
    if not problem.device.is_cpu or problem.device.vector_width == 1:
        return "channel blocks are for CPU devices with vectors"
    if problem.y.rank < 3:
        return "needs (batch, channels, spatial...)"
    read = _operands(problem, steps_of(problem.node))
    for index in read:
        if _source(problem, index) is None:
            return f"cannot read an operand of shape {problem.input(index).shape}"
    return _float_obstacle(problem, read)


def _channel_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    layouts = [PLAIN] * len(problem.inputs)
    for index in _operands(problem, steps_of(problem.node)):
        source = _source(problem, index)
        if source is not None and source.kind in ("full", "gate"):
            layouts[index] = blocked
    return [Signature(tuple(layouts), (blocked,)), Signature((PLAIN,) * len(layouts), (PLAIN,))]


def _channel_lower(problem: Problem) -> Lowered:
    if problem.y.layout.is_plain:
        return _broadcast_lower(problem)
    batch, channels, *spatial = problem.y.shape
    pixels, block = math.prod(spatial), problem.y.layout.block
    if problem.y.size == 0:
        return Lowered()
    steps = steps_of(problem.node)
    sources = {i: _source(problem, i) or _Source("full") for i in _operands(problem, steps)}
    kernel = Kernel.of(
        "elementwise/channel.cl.mako",
        "elementwise_channel",
        block=block,
        operands=tuple((i, s.kind, s.batched) for i, s in sources.items()),
        terms=_terms(problem, steps, lambda i: Operand("variable", f"v{i}")),
    )
    blocks = -(-channels // block)
    share = share_of(problem.device, batch * blocks * pixels * block) // block
    columns = min(pixels, share)
    rows = max(1, share // pixels)
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


def _channel_argument(problem: Problem, index: int, source: _Source, block: int) -> Argument:
    if source.kind == "channel":
        return Packed(problem.node.inputs[index], channel_packing(block))
    return problem.argument(index)


# --- broadcast: any ranks and dtypes, plain -------------------------------------------------------------


def _broadcast_applies(problem: Problem) -> str | None:
    dtypes = {s.dtype for s in (*problem.inputs, problem.y) if s is not None}
    if DType.FLOAT16 in dtypes:
        return "there are no float16 kernels yet"
    if DType.FLOAT64 in dtypes and "cl_khr_fp64" not in problem.device.extensions:
        return "the device has no float64"
    return None


def _broadcast_lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    node, steps = problem.node, list(steps_of(problem.node))
    calls: list[KernelCall] = []
    scratch: dict[str, int] = {}
    before: str | None = None
    while True:
        part = _first_steps(problem, steps)
        steps = steps[len(part) :]
        target = f"{node.name}:part{len(calls)}" if steps else node.outputs[0]
        if steps:
            scratch[target] = problem.y.nbytes
        calls.append(_broadcast_call(problem, part, before, target))
        if not steps:
            return Lowered(tuple(calls), scratch)
        before = target


def _first_steps(problem: Problem, steps: list[EpilogueStep]) -> list[EpilogueStep]:
    """As many of the steps as one kernel has room for operands."""
    for count in range(len(steps), 1, -1):
        if len(_operands(problem, steps[:count])) <= _MOST_OPERANDS:
            return steps[:count]
    return steps[:1]


def _broadcast_call(
    problem: Problem, steps: Sequence[EpilogueStep], before: str | None, target: str
) -> KernelCall:
    """One kernel for some steps. before: the value computed by the steps that came earlier."""
    y = problem.y
    read = _operands(problem, steps) if steps or before else [0]
    shapes = [problem.input(i).shape for i in read]
    inputs = [(f"x{i}", problem.argument(i), problem.input(i).dtype) for i in read]
    if before is not None:
        shapes.append(y.shape)
        inputs.append(("before", Read(before), y.dtype))
    walk = broadcast(y.shape, shapes)
    vectors = {dtype for *_, dtype in inputs} | {y.dtype} == {DType.FLOAT32}
    base = ROWS[problem.node.op]
    compute = problem.input(1 if base.condition_first else 0).dtype
    index = "int" if max(y.size, *(math.prod(s) for s in shapes), 0) < 1 << 31 else "long"
    kernel = Kernel.of(
        "elementwise/broadcast.cl.mako",
        "elementwise_broadcast",
        rank=walk.rank,
        width=problem.device.vector_width if vectors and problem.device.is_cpu else 1,
        index=index,
        operands=tuple(
            (name, C_TYPES[dtype.value], strides[-1])
            for (name, _, dtype), strides in zip(inputs, walk.strides, strict=True)
        ),
        compute=C_TYPES[compute.value],
        result=C_TYPES[y.dtype.value],
        terms=_terms(problem, steps, lambda i: Operand("variable", f"v_x{i}")),
        continues=before is not None,
    )
    share = share_of(problem.device, y.size)
    axes = range(walk.rank)
    arguments: list[tuple[str, Argument]] = [
        *((name, argument) for name, argument, _ in inputs),
        ("y", Write(target)),
        ("share", Scalar(share, index)),
        *((f"size{axis}", Scalar(walk.sizes[axis], index)) for axis in axes),
        *(
            (f"{name}_stride{axis}", Scalar(strides[axis], index))
            for (name, *_), strides in zip(inputs, walk.strides, strict=True)
            for axis in axes[:-1]
        ),
    ]
    return problem.call(kernel, arguments, (items(y.size, share),))


for _name in ROWS:
    register(
        Variant(_name, "flat", _flat_applies, _flat_lower, _flat_signatures),
        Variant(_name, "channel", _channel_applies, _channel_lower, _channel_signatures),
        Variant(_name, "broadcast", _broadcast_applies, _broadcast_lower),
    )

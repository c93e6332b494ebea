"""What lowerings share: sizes in pairs, arguments of images, C types of a dtype, obstacles, layouts of channel blocks."""

from __future__ import annotations

from collections.abc import Sequence

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.choice.limits import size_obstacle
from clconv.lowering.model.arguments import Argument, Scalar
from clconv.lowering.model.c_types import c_type as c_type
from clconv.lowering.model.kernel import Problem, Signature
from clconv.lowering.model.obstacles import computed, dtype_obstacle
from clconv.lowering.shared.epilogue import epilogue_obstacle

# Sums of nothing, of no channels say, are for the kernels by definition.
_EMPTY = "needs elements"


def pair(values: Sequence[int], fill: int) -> tuple[int, int]:
    """(height, width) of one or two spatial values; one-dimensional data is one row."""
    return (fill, values[0]) if len(values) == 1 else (values[0], values[1])


def kernel_pad_mode(mode: str, sizes: Sequence[int], pads: Sequence[int]) -> str:
    """A padding mode as kernels have it, for axes of these sizes (pads: all their begins, then all their ends): what one
    fold of an index does not bring back into the axis is "repeated"."""
    folded = {"reflect": 1, "wrap": 0}
    if mode not in folded:
        return mode
    most = [size - folded[mode] for size in sizes]
    fits = all(pad <= limit for pad, limit in zip(pads, (*most, *most), strict=True))
    return mode if fits else f"{mode} repeated"


def image_arguments(
    size: Sequence[int], out: Sequence[int], begin: Sequence[int]
) -> list[tuple[str, Argument]]:
    """What kernels that move a window over an image take: (height, width) of the image and of the result, and
    the padding before the first row and column."""
    names = ("height", "width", "out_height", "out_width", "pad_top", "pad_left")
    return [(name, Scalar(value)) for name, value in zip(names, (*size, *out, *begin), strict=True)]


def stored_obstacle(problem: Problem) -> str | None:
    """Why a kernel that computes in the input's element type, or in float if halves are stored, cannot run on
    the device."""
    wide = {computed(problem.x.dtype)}
    return dtype_obstacle(wide, problem.device) or epilogue_obstacle(problem)


def blocked_obstacle(problem: Problem, most_axes: int = 2) -> str | None:
    """Why no kernel on channel blocks can run a node over (N, C, spatial...) of at most so many axes."""
    if computed(problem.x.dtype) is not DType.FLOAT32:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    if not problem.device.is_cpu:
        return "channel blocks are for CPU devices"
    if not 3 <= problem.x.rank <= 2 + most_axes:
        return f"needs 1 to {most_axes} spatial axes, got a tensor of rank {problem.x.rank}"
    if not problem.x.size:
        return _EMPTY
    blocked = Layout(problem.device.vector_width)
    for spec in (problem.x, problem.y):
        if spec.rank >= 3 and (
            too_large := size_obstacle(spec.with_layout(blocked), problem.device)
        ):
            return f"on channel blocks {too_large}"
    return epilogue_obstacle(problem)


def plain_obstacle(problem: Problem) -> str | None:
    """Why no kernel on plain images of floats, or of halves, can run a node over (N, C, spatial...)."""
    if computed(problem.x.dtype) is not DType.FLOAT32:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    if not 3 <= problem.x.rank <= 4:
        return f"needs one or two spatial axes, got {problem.x.rank - 2}"
    if not problem.x.size:
        return _EMPTY
    return epilogue_obstacle(problem)


def blocked_signature(problem: Problem, x: Layout, y: Layout) -> Signature:
    """First input and output in these layouts, operands of the epilogue that have the output's shape in
    its layout, everything else plain."""
    inputs = [x] + [PLAIN] * (len(problem.inputs) - 1)
    for i in range(len(problem.node.op_inputs), len(problem.inputs)):
        spec = problem.inputs[i]  # None: an operand that a step does without
        if spec is not None and spec.shape == problem.y.shape:
            inputs[i] = y
    return Signature(tuple(inputs), (y,) + (PLAIN,) * (len(problem.outputs) - 1))


def blocked_signatures(problem: Problem) -> list[Signature]:
    """Input and output on blocks as wide as a register."""
    blocked = Layout(problem.device.vector_width)
    return [blocked_signature(problem, blocked, blocked)]


# So many input channels, or fewer, are read from the plain layout, as the first layer of a network does.
_PLAIN_INPUT_CHANNELS = 4


def convolution_signatures(problem: Problem) -> list[Signature]:
    """blocked_signatures(), but that few input channels stay plain."""
    blocked = Layout(problem.device.vector_width)
    few = problem.x.shape[1] <= _PLAIN_INPUT_CHANNELS
    return [blocked_signature(problem, PLAIN if few else blocked, blocked)]


def rows_per_item(problem: Problem, rows: int, others: int) -> int:
    """How many of `rows` one work-item takes, `others` items standing side by side: eight items a compute
    unit where there is that much, so that none works alone at the end."""
    wanted = max(1, -(-8 * problem.device.compute_units // max(1, others)))
    return max(1, rows // wanted)

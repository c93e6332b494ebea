"""Variants of LRN, on channel blocks and plain, and of its gradient."""

from __future__ import annotations

import math

from clconv.graph.ir import DType, Layout
from clconv.graph.ops.elementwise.row import c_float
from clconv.lowering.choice.limits import size_obstacle
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import c_type
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.model.obstacles import computed, double_obstacle
from clconv.lowering.shared.axes import line_arguments
from clconv.lowering.shared.work_split import elements_per_item, items

# s ^ -beta without a power function, for the exponents that networks use.
_POWERS = {
    0.5: "(T)(1) / sqrt(s)",
    0.75: "(T)(1) / (sqrt(s) * sqrt(sqrt(s)))",
    1.0: "(T)(1) / s",
}


def _window(problem: Problem) -> tuple[int, int]:
    """Channels before and after a channel that count; more than there are changes nothing."""
    size, channels = problem.node.attrs.size, problem.x.shape[1]
    return min((size - 1) // 2, channels), min(size // 2, channels)


def _kernel(problem: Problem, template: str, **parameters: str | int) -> Kernel:
    at = problem.node.attrs
    before, after = _window(problem)
    return Kernel.of(
        f"norm/{template}.cl.mako",
        f"norm_{template}",
        before=before,
        after=after,
        bias=c_float(at.bias),
        scale=c_float(at.alpha / at.size),
        power=_POWERS.get(at.beta, f"pow(s, (T)({c_float(-at.beta)}))"),
        **parameters,
    )


def _columns(problem: Problem, pixels: int, channels: int, lanes: int) -> int:
    """Pixels of one image that a work-item takes."""
    per_item = elements_per_item(problem.device, 4 * problem.x.size, lanes)
    return min(pixels, items(items(per_item, 4 * channels), lanes) * lanes)


def _lower(problem: Problem, kernel: Kernel, lanes: int) -> Lowered:
    batch, channels, *spatial = problem.x.shape
    pixels = math.prod(spatial)
    columns = _columns(problem, pixels, channels, lanes)
    arguments = line_arguments(problem, channels=channels, pixels=pixels, columns=columns)
    return Lowered((problem.call(kernel, arguments, (items(pixels, columns), batch)),))


def _blocked_applies(problem: Problem) -> str | None:
    block = problem.device.vector_width
    if not problem.device.is_cpu or block == 1:
        return "channel blocks are for CPU devices with vectors"
    if computed(problem.x.dtype) is not DType.FLOAT32 or problem.x.rank < 3:
        return "needs float32 or float16 (batch, channels, spatial...)"
    if max(_window(problem)) > block:
        return f"needs windows of at most {block} channels to each side"
    return size_obstacle(problem.y.with_layout(Layout(block)), problem.device)


def _blocked_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [Signature((blocked,) * len(problem.inputs), (blocked,))]


def _blocked_lower(problem: Problem) -> Lowered:
    if problem.x.size == 0:
        return Lowered()
    return _lower(problem, _kernel(problem, "lrn_blocked", block=problem.x.layout.block), 1)


def _plain_lower(problem: Problem) -> Lowered:
    if problem.x.size == 0:
        return Lowered()
    vectors = computed(problem.x.dtype) is DType.FLOAT32 and problem.device.is_cpu
    width = problem.device.vector_width if vectors else 1
    kernel = _kernel(problem, "lrn", type=c_type(problem.x.dtype), width=width)
    return _lower(problem, kernel, width)


def _gradient_factor(problem: Problem) -> str:
    at = problem.node.attrs
    return c_float(2 * at.alpha / at.size * at.beta)


def _gradient_blocked_lower(problem: Problem) -> Lowered:
    if problem.x.size == 0:
        return Lowered()
    batch, channels, *spatial = problem.x.shape
    pixels = math.prod(spatial)
    kernel = _kernel(
        problem,
        "lrn_gradient_blocked",
        block=problem.x.layout.block,
        factor=_gradient_factor(problem),
    )
    columns = _columns(problem, pixels, channels, 1)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("dy", problem.argument(1)),
        ("dx", Write(problem.node.outputs[0])),
        ("channels", Scalar(channels)),
        ("pixels", Scalar(pixels)),
        ("columns", Scalar(columns)),
    ]
    return Lowered((problem.call(kernel, arguments, (items(pixels, columns), batch)),))


def _gradient_lower(problem: Problem) -> Lowered:
    if problem.x.size == 0:
        return Lowered()
    batch, channels, *spatial = problem.x.shape
    pixels = math.prod(spatial)
    vectors = computed(problem.x.dtype) is DType.FLOAT32 and problem.device.is_cpu
    width = problem.device.vector_width if vectors else 1
    kernel = _kernel(
        problem, "lrn_gradient", type=c_type(problem.x.dtype), width=width,
        factor=_gradient_factor(problem),
    )  # fmt: skip
    columns = _columns(problem, pixels, channels, width)
    reached = f"{problem.node.name}:reached"
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("dy", problem.argument(1)),
        ("dx", Write(problem.node.outputs[0])),
        ("t", Write(reached)),
        ("channels", Scalar(channels)),
        ("pixels", Scalar(pixels)),
        ("columns", Scalar(columns)),
    ]
    call = problem.call(kernel, arguments, (items(pixels, columns), batch))
    return Lowered((call,), {reached: problem.x.size * computed(problem.x.dtype).itemsize})


register(
    Variant(
        "LRNGradient", "blocked", _blocked_applies, _gradient_blocked_lower, _blocked_signatures
    ),
    Variant("LRNGradient", "plain", double_obstacle, _gradient_lower),
    Variant("LRN", "blocked", _blocked_applies, _blocked_lower, _blocked_signatures),
    Variant("LRN", "plain", double_obstacle, _plain_lower),
)

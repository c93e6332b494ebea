"""What the kernels of pools are made for and given: the window over an image, what is computed of it, and which windows none
can count to."""

from __future__ import annotations

from collections.abc import Hashable

from clconv.lowering.model.arguments import Argument, Scalar
from clconv.lowering.model.kernel import Problem
from clconv.lowering.shared.blocked import image_arguments, kernel_pad_mode, pair
from clconv.lowering.shared.epilogue import Epilogue

_KINDS = {"MaxPool": "max", "MaxPoolWithTaps": "max", "AveragePool": "average", "LpPool": "lp"}
# Windows this wide or narrower are unrolled along the width.
UNROLLED = 8
# Pixels along an axis of a window that may lie outside of the image and are tried all the same.
_MOST_TRIED = 64


def wanted_indices(problem: Problem) -> str:
    """Name of MaxPool's Indices output, or of the taps, empty if nobody wants it."""
    outputs = problem.node.outputs
    return outputs[1] if len(outputs) > 1 else ""


def pad_mode(problem: Problem) -> str:
    """The node's padding mode as kernels have it, "none" if no window ever leaves the image."""
    at = problem.node.attrs
    if not (any(at.pads) or at.ceil_mode):
        return "none"
    return kernel_pad_mode(at.pad_mode, problem.x.shape[2:], at.pads)


def counts_pads(problem: Problem) -> bool:
    at = problem.node.attrs
    return bool(at.get("count_include_pad")) or at.pad_mode != "constant"


def parameters(problem: Problem, epilogue: Epilogue) -> dict[str, Hashable]:
    """What all kernels are made for: the mean, maximum or norm, and what follows it."""
    return {
        "kind": _KINDS[problem.node.op],
        "power": problem.node.attrs.get("p", 1),
        "count_pads": counts_pads(problem),
        "epilogue": epilogue.terms,
        "epilogue_names": epilogue.names,
    }


def window_parameters(problem: Problem) -> dict[str, Hashable]:
    """The window over an image, (height, width) each."""
    at = problem.node.attrs
    return {
        "kernel": pair(at.kernel_shape, 1),
        "strides": pair(at.strides, 1),
        "dilations": pair(at.dilations, 1),
    }


def begin_arguments(problem: Problem) -> list[tuple[str, Argument]]:
    """Sizes of the image and the result, and the padding before the image."""
    x, y, pads = problem.x, problem.y, problem.node.attrs.pads
    begin = pair(pads[: x.rank - 2], 0)
    return image_arguments(pair(x.shape[2:], 1), pair(y.shape[2:], 1), begin)


def window_arguments(problem: Problem) -> list[tuple[str, Argument]]:
    """Sizes of the image and the result, and the padding on all sides."""
    bottom, right = pair(problem.node.attrs.pads[problem.x.rank - 2 :], 0)
    return [
        *begin_arguments(problem),
        ("pad_bottom", Scalar(bottom)),
        ("pad_right", Scalar(right)),
    ]


def reach(problem: Problem) -> int:
    """The largest coordinate of a window's pixel, less than what a kernel adds up on the way to it."""
    at, sizes = problem.node.attrs, problem.x.shape[2:]
    return max(
        size
        + at.pads[i]
        + at.pads[i + len(sizes)]
        + at.strides[i]
        + at.dilations[i] * at.kernel_shape[i]
        for i, size in enumerate(sizes)
    )


def far_obstacle(problem: Problem) -> str | None:
    """Why a kernel that tries every tap, and counts in 32 bits, cannot take the window."""
    at = problem.node.attrs
    if reach(problem) >= 1 << 30:
        return "the padded image or the window has 2^30 pixels along an axis, or more"
    for size, taps in zip(problem.x.shape[2:], at.kernel_shape, strict=True):
        if taps > max(_MOST_TRIED, 2 * size):
            return f"most of the {taps} pixels of the window lie beyond the {size} of the image"
    return None

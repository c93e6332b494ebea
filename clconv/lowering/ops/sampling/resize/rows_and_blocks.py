"""Resize and its gradient on CPUs, channel by channel: plain rows of few channels, and channel blocks."""

from __future__ import annotations

import math

import numpy as np

from clconv.graph.ir import PLAIN
from clconv.lowering.model.arguments import Argument, Scalar, Table
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant
from clconv.lowering.ops.sampling.resize.taps import (
    image_arguments,
    image_size,
    image_taps,
    images_obstacle,
    is_gradient,
    is_weighted,
)
from clconv.lowering.shared.blocked import blocked_signature, blocked_signatures, rows_per_item
from clconv.lowering.shared.work_split import power_of_two

# --- rows: plain channels, on CPUs --------------------------------------------------------------------

_FEW_CHANNELS = 4  # more of them fill a channel block well enough


def _rows_applies(problem: Problem) -> str | None:
    obstacle = images_obstacle(problem)
    if obstacle:
        return obstacle
    if problem.x.shape[1] > _FEW_CHANNELS:
        return f"needs {_FEW_CHANNELS} channels or fewer, got {problem.x.shape[1]}"
    if problem.y.shape[-1] < 2:
        return "needs two columns or more"
    return None


def _times(index: np.ndarray, width: int) -> int:
    """How often each pixel stands one behind the other in rows of whole vectors; 0 if they do not, or it is once."""
    times = int(np.count_nonzero(index == index[0]))
    even = times > 1 and width % times == 0 and len(index) % width == 0
    return times if even and np.array_equal(index, np.arange(len(index)) // times) else 0


def _rows_lower(problem: Problem) -> Lowered:
    weighted = is_weighted(problem)
    row, column = image_taps(problem)
    out_height, out_width = image_size(problem.y.shape)
    planes = math.prod(problem.x.shape[:2])
    width = min(problem.device.vector_width, power_of_two(out_width))
    kernel = Kernel.of(
        "sampling/resize/rows.cl.mako",
        "resize_rows",
        width=width,
        weighted=weighted,
        times=0 if weighted else _times(column.index[:, 0], width),
    )
    weights: list[tuple[str, Argument]] = [
        ("row_weight", Table(row.weight.astype(np.float32))),
        ("column_weight", Table(column.weight.T.astype(np.float32))),
        ("row_taps", Scalar(row.index.shape[1])),
        ("column_taps", Scalar(column.index.shape[1])),
    ]
    rows = rows_per_item(problem, out_height, planes)
    tables: list[tuple[str, Argument]] = [
        ("row_index", Table(row.index.astype(np.int32))),
        ("column_index", Table(column.index.T.astype(np.int32))),
        *(weights if weighted else []),
    ]
    items = (-(-out_height // rows), planes)
    return Lowered((problem.call(kernel, image_arguments(problem, rows, tables), items),))


# --- blocked: channel blocks, on CPUs -----------------------------------------------------------------

_MOST_UNROLLED = 64


def _blocked_applies(problem: Problem) -> str | None:
    if not is_gradient(problem):
        if problem.node.attrs.antialias:
            return "antialiasing takes as many pixels as the scale asks for"
        return images_obstacle(problem)
    obstacle = images_obstacle(problem)
    if obstacle or not problem.y.size:
        return obstacle
    taps = math.prod(taps.index.shape[1] for taps in image_taps(problem))
    return f"unrolls {_MOST_UNROLLED} pixels, got {taps}" if taps > _MOST_UNROLLED else None


def _blocked_signatures(problem: Problem) -> list[Signature]:
    """Also plain, where pixels are only moved: on blocks what lies around would have to become blocks and plain again."""
    signatures = blocked_signatures(problem)
    if not (is_weighted(problem) or is_gradient(problem)) and problem.y.shape[-1] > 1:
        signatures.append(blocked_signature(problem, PLAIN, PLAIN))
    return signatures


def _blocked_lower(problem: Problem) -> Lowered:
    """On channel blocks; where the layouts are plain, by rows."""
    if problem.y.layout.is_plain:
        return _rows_lower(problem)
    x, block = problem.x, problem.device.vector_width
    row, column = image_taps(problem)
    weighted = is_weighted(problem)
    kernel = Kernel.of(
        "sampling/resize/blocked.cl.mako",
        "resize_blocked",
        block=block,
        taps=(row.index.shape[1], column.index.shape[1]),
        weighted=weighted,
    )
    out_height, _ = image_size(problem.y.shape)
    blocks = -(-x.shape[1] // block)
    rows = rows_per_item(problem, out_height, blocks * x.shape[0])
    weights: list[tuple[str, Argument]] = [
        ("row_weight", Table(row.weight.astype(np.float32))),
        ("column_weight", Table(column.weight.astype(np.float32))),
    ]
    tables: list[tuple[str, Argument]] = [
        ("row_index", Table(row.index.astype(np.int32))),
        ("column_index", Table((column.index * block).astype(np.int32))),
        *(weights if weighted else []),
    ]
    items = (-(-out_height // rows), blocks, x.shape[0])
    return Lowered((problem.call(kernel, image_arguments(problem, rows, tables), items),))


def rows(op: str) -> Variant:
    return Variant(op, "rows", _rows_applies, _rows_lower)


def blocked(op: str) -> Variant:
    return Variant(op, "blocked", _blocked_applies, _blocked_lower, _blocked_signatures)

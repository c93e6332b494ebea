"""Direct convolution on channel blocks for CPUs: register-blocked, NCHWc or plain in, NCHWc out."""

from __future__ import annotations

import dataclasses
import functools
import math

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import (
    Argument,
    Scalar,
    Write,
)
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.by_rows import pointwise_rows
from clconv.lowering.ops.conv.moments import Left
from clconv.lowering.ops.conv.picked import Pixels
from clconv.lowering.ops.conv.runs import Runs, fewest_pixels, narrower_tile
from clconv.lowering.ops.conv.shape import (
    ITEMS_A_CORE,
    LANES,
    TILE_SPACE,
    ConvShape,
    arithmetic_rate,
    bias_arguments,
    chosen_tile,
    merged_groups,
    packing_seconds,
    register_tile,
)
from clconv.lowering.ops.conv.weights import direct_weights
from clconv.lowering.shared.blocked import blocked_obstacle, convolution_signatures
from clconv.lowering.shared.epilogue import plan_epilogue

# Weights in float16 lie there so for at most so many output pixels: every tile converts them again.
_PIXELS_OF_HALF_WEIGHTS = 64


def _direct_applies(problem: Problem) -> str | None:
    obstacle = blocked_obstacle(problem)
    if obstacle:
        return obstacle
    if _merged_groups(problem) > _MOST_MERGED:
        return (
            f"so many of its {problem.node.attrs.group} groups would have to be one to fill channel blocks of "
            f"{problem.device.vector_width} that it would compute {_merged_groups(problem)} times as much"
        )
    return None


# Groups that are one cost as much arithmetic again each, in the place of a kernel 30 times as slow.
_MOST_MERGED = 16


def _merged_groups(problem: Problem) -> int:
    """How many groups count as one, so that each fills channel blocks or is the only one; what one group's channels
    weigh for another's filters is zero then."""
    group = problem.node.attrs.group
    channels, filters = problem.x.shape[1] // group, problem.y.shape[1] // group
    return merged_groups(group, channels, filters, problem.device.vector_width)


def _mixed_groups(problem: Problem) -> str | None:
    """Zero times infinity is NaN."""
    if _merged_groups(problem) > 1:
        return "its groups that count as one multiply each other's channels by zero"
    return None


def _shape(problem: Problem) -> ConvShape:
    shape = ConvShape.of(problem)
    return dataclasses.replace(shape, group=shape.group // _merged_groups(problem))


def _direct_lower(problem: Problem) -> Lowered:
    block, read = problem.device.vector_width, Pixels.of(problem, _shape(problem))
    shape = read.shape
    channels, in_block = shape.channels // shape.group, problem.x.layout.block
    blocks = -(-(shape.filters // shape.group) // block)
    vectors, pixels = _tile(problem, shape, blocks)
    epilogue, chunks = plan_epilogue(problem, block * vectors), -(-blocks // vectors)
    split = _split(problem, shape, chunks, pixels)
    left = Left.of(problem, shape.batch * split.items)
    last_lanes = channels % in_block or in_block
    half_last = _is_half_last(problem, shape, vectors)
    lanes_a_turn = LANES // 2 if half_last else _lanes_a_turn(shape, in_block, last_lanes)
    is_short = shape.is_pointwise and (problem.other_sizes or math.prod(shape.out) < pixels)
    kernel = Kernel.of(
        "conv/direct.cl.mako",
        "conv_direct",
        block=block,
        in_block=in_block,
        vectors=vectors,
        pixels=pixels,
        lanes_a_turn=lanes_a_turn,
        tail=last_lanes % lanes_a_turn,
        pointwise=shape.is_pointwise,
        narrower=_narrower(problem, shape, pixels),
        **shape.parameters,
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
        prefetch="prefetch-does-nothing" in problem.device.quirks,
        short_images=is_short,
        half_last=half_last,
        **left.parameters,
    )
    reused = shape.batch * math.prod(shape.out) > _PIXELS_OF_HALF_WEIGHTS
    widen = reused and problem.input(1).dtype is DType.FLOAT16
    packing = direct_weights(in_block, block * vectors, shape.group, widen, _merged_groups(problem))
    arguments: list[tuple[str, Argument]] = [
        ("x", read.argument),
        ("w", problem.packed(1, packing)),
        *bias_arguments(problem, block * vectors),
        ("y", Write(problem.node.outputs[0])),
        *shape.arguments,
        ("in_blocks", Scalar(-(-channels // in_block))),
        ("last_lanes", Scalar(last_lanes)),
        ("filters", Scalar(shape.filters // shape.group)),
        ("groups", Scalar(shape.group)),
        ("run", Scalar(split.run)),
        ("runs", Scalar(split.runs)),
        ("length", Scalar(split.length)),
        ("filters_last", Scalar(int(_filters_last(shape)))),
        *left.arguments,
        *epilogue.arguments,
    ]
    first = (split.items, chunks) if _filters_last(shape) else (chunks, split.items)
    call = problem.call(kernel, arguments, (*first, shape.batch * shape.group))
    rows_fill = is_short or problem.y.shape[-1] >= pixels  # a tile each
    if shape.is_pointwise and rows_fill and not problem.leaves and not read.calls:
        dealt = functools.partial(_pixels_dealt, problem, shape, chunks, pixels)
        call = dataclasses.replace(call, by_rows=pointwise_rows(problem, epilogue, dealt))
    return left.added(Lowered((*read.calls, call), scratch=read.scratch))


def _is_half_last(problem: Problem, shape: ConvShape, vectors: int) -> bool:
    """Whether the last vector of the only tile of filters is at most half full, and half as long a vector takes half the time,
    as where 512 bits are two steps: 24 filters are not computed as 32 then."""
    block, filters = problem.device.vector_width, shape.filters // shape.group
    is_two_steps = block == 16 and "halves-512-bits" in problem.device.quirks
    fits = vectors > 1 and 0 < filters - (vectors - 1) * block <= block // 2
    is_usual = shape.is_pointwise and shape.out != (1, 1) and not problem.leaves
    is_blocked = problem.x.layout.block == block and problem.x.dtype is DType.FLOAT32
    return is_two_steps and fits and is_usual and is_blocked


def _lanes_a_turn(shape: ConvShape, in_block: int, last_lanes: int) -> int:
    """Input channels of a turn of the inner loop. With windows of one pixel, whole blocks of 8 are one turn: what a block needs
    around two of them is half as many instructions again, and took 5 % of the time."""
    is_turn = shape.is_pointwise and in_block == last_lanes == 2 * LANES
    return in_block if is_turn else min(LANES, in_block)


def _tile(problem: Problem, shape: ConvShape, blocks: int) -> tuple[int, int]:
    """chosen_tile(), or tiles one pixel wider where registers allow and fewer pixels are computed in vain: the 49 of the
    last layers of many networks are four tiles of 13 and five of 12."""
    vectors, pixels = chosen_tile(problem, blocks)
    if "pixels" in problem.parameters:
        return vectors, pixels
    if shape.is_pointwise and shape.out == (1, 1):  # of squeeze and excitation: no tile is full
        return vectors, 1
    if problem.other_sizes:
        return vectors, pixels
    if vectors == 2 and problem.device.registers == 32:
        plain = problem.x.layout.is_plain
        pixels = min(_WIDE, pixels, key=lambda wide: _waste(shape, wide, plain))
    return vectors, _fitted(shape, vectors, pixels)


_WIDE = 13  # times two, with two weights and a broadcast value, are 29 registers


def _waste(shape: ConvShape, pixels: int, plain: bool) -> float:
    """Time over that of tiles that fill rows: as rows, or as one run where pixels are looked up."""
    if shape.is_pointwise:
        return 1.0 if pixels == _WIDE else 1.1
    narrower = narrower_tile(pixels, False)
    rows = _ragged(shape.out[1], pixels, narrower)
    run = _ragged(math.prod(shape.out), pixels, narrower)
    return rows if plain else min(rows, _RAGGED_ROWS * run)


def _narrower(problem: Problem, shape: ConvShape, pixels: int) -> int:
    """narrower_tile(). With vectors of 16 floats both widths share one text."""
    shared = problem.device.vector_width == 16 and problem.x.dtype is DType.FLOAT32
    return narrower_tile(pixels, shape.is_pointwise and not shared)


def _filters_last(shape: ConvShape) -> bool:
    """Whether neighbouring items take other pixels of the same filters, not other filters of the same pixels. Cores begin
    with an equal share of the items each: then each reads its share of the larger one of weights and input."""
    taps = math.prod(shape.kernel)
    return shape.filters // shape.group * taps > shape.batch * math.prod(shape.size)


# What an item reads of the input again for every block of filters should stay in a core's own cache.
_ITEM_BYTES = 192 << 10


def _split(problem: Problem, shape: ConvShape, chunks: int, pixels: int) -> Runs:
    """Items small enough for a core's cache and enough of them for all cores. Rows that tiles do not fill
    well count as one run with the rows below them."""
    height, width = shape.out
    read = 4 * shape.batch * shape.channels * math.prod(shape.size)
    count = max(
        -(-read // (_ITEM_BYTES * shape.batch * shape.group)),
        -(-ITEMS_A_CORE * problem.device.compute_units // (chunks * shape.batch * shape.group)),
    )
    cores = problem.device.compute_units
    if not _filters_last(shape) or chunks * shape.batch * shape.group % cores:
        count = -(-count // cores) * cores  # as many items for each core, and of pixels of its own
    plain = problem.x.layout.is_plain  # the kernel for plain input takes rows only
    narrower = _narrower(problem, shape, pixels)
    if height > 1 and (plain or _ragged(width, pixels, narrower) <= _RAGGED_ROWS):
        runs = max(1, height // count)
        return Runs(width, runs, width, -(-height // runs))
    run = height * width
    length = max(2 * pixels, -(-run // count))
    even, whole = -(-run // -(-run // length)), -(-length // pixels) * pixels
    if shape.is_pointwise:
        fewer = -(-run // length)
        lengths = (
            [run // n for n in range(-(-fewer // 2), fewer + 1)] if narrower else [run // fewer]
        )
        lengths = [*lengths, whole]
        shared = [n for n in lengths if max(1, (run + n - pixels) // n) % cores == 0]
        return fewest_pixels(run, shared or lengths, pixels, narrower)
    if max(_ragged(n, pixels, narrower) for n in (even, run % even or even)) > 1:
        even = whole if _ragged(length, pixels, narrower) > 1 else length
    return Runs(run, 1, even, -(-run // even))


def _pixels_dealt(problem: Problem, shape: ConvShape, chunks: int, tile: int, pixels: int) -> Runs:
    """_split() of so many of the pixels of a pointwise convolution."""
    return _split(
        problem, dataclasses.replace(shape, size=(1, pixels), out=(1, pixels)), chunks, tile
    )


# Looking up each pixel of a tile costs about as much as this share of wasted pixels.
_RAGGED_ROWS = 1.12


def _ragged(width: int, pixels: int, narrower: int) -> float:
    """Pixels computed over pixels needed when tiles fill rows; some may be narrower."""
    tiles = -(-width // pixels)
    if narrower and tiles * pixels - width <= tiles:
        return 1.0
    return tiles * pixels / max(1, width)


# Sums that keep both multiply-add units busy.
_LEAST_SUMS = 8


def _fitted(shape: ConvShape, vectors: int, pixels: int) -> int:
    """The pixels of a register tile, fewer where that fills rows without padding, whose windows all lie inside the image.
    Windows of one pixel in rows shorter than a tile are copied side by side instead: each row would read all weights again."""
    width = shape.out[1]

    def ragged(tile: int) -> bool:
        return _ragged(width, tile, narrower_tile(tile, False)) > _RAGGED_ROWS

    is_run = shape.is_pointwise or shape.out[0] == 1 or (shape.kernel == (1, 1) and width < pixels)
    if is_run or shape.padding != "none" or not ragged(pixels):
        return pixels
    fitting = -(-width // -(-width // pixels))
    fits = fitting * vectors >= _LEAST_SUMS and not ragged(fitting)
    return fitting if fits else pixels


# What windows that lie two apart cost more than neighbours: measured, 3x3, 64 to 512 channels.
_STRIDED = 1.2


def _direct_estimate(problem: Problem) -> float:
    """Multiply-adds at the rate of a full register tile, and what ragged tiles waste."""
    shape = _shape(problem)
    block = problem.device.vector_width
    blocks = -(-(shape.filters // shape.group) // block)
    vectors, pixels = register_tile(problem.device.registers, blocks)
    waste = min(_ragged(shape.out[1], pixels, _narrower(problem, shape, pixels)), _RAGGED_ROWS)
    filters = shape.filters // shape.group
    waste *= -(-blocks // vectors) * vectors * block / filters * _merged_groups(problem)
    if max(shape.strides) > 1 and max(shape.kernel) > 1:
        waste *= _STRIDED
    packing = packing_seconds(problem, _merged_groups(problem))
    return problem.cost.flops * waste / arithmetic_rate(problem.device) + packing


DIRECT = Variant(
    "Conv", "direct", _direct_applies, _direct_lower, convolution_signatures, _direct_estimate,
    TILE_SPACE, mixes=_mixed_groups, leaves_moments=True,
)  # fmt: skip

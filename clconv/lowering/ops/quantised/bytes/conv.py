"""ByteConv and ByteConvToFloat: dense and depthwise on channel blocks for CPUs that multiply bytes, and by its definition."""

from __future__ import annotations

import math

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, always, register
from clconv.lowering.ops.quantised.bytes import ends
from clconv.lowering.ops.quantised.bytes.real_simple import real_simple
from clconv.lowering.ops.quantised.bytes.shape import (
    OTHER,
    bytes_obstacle,
    conv_signatures,
    conv_weights,
    depthwise_weights,
    tile_of,
)
from clconv.lowering.ops.quantised.bytes.tiles import tiles
from clconv.lowering.shared.blocked import image_arguments, pair
from clconv.lowering.shared.work_split import items, nested
from clconv.records import record

_ITEMS_A_CORE = 8
_ROOM = 24 << 10  # bytes that a depthwise item copies, of a core's first cache
_ITEM_BYTES = 256 << 10  # of the input that an item reads again for each block of filters


@record(frozen=True)
class _Sizes:
    """(height, width) each; a 1x1 convolution's pixels are one row."""

    size: tuple[int, int]
    out: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    begin: tuple[int, int]
    pads: bool

    @classmethod
    def of(cls, problem: Problem) -> _Sizes:
        at, spatial = problem.node.attrs, problem.x.rank - 2
        size, out = pair(problem.x.shape[2:], 1), pair(problem.y.shape[2:], 1)
        kernel = pair(ends.weights_of(problem).shape[2:], 1)
        strides, dilations = pair(at.strides, 1), pair(at.dilations, 1)
        pads = any(at.pads)
        if kernel == strides == (1, 1) and not pads:
            size = out = (1, math.prod(out))
        return cls(size, out, kernel, strides, dilations, pair(at.pads[:spatial], 0), pads)

    @property
    def arguments(self) -> list[tuple[str, Argument]]:
        return image_arguments(self.size, self.out, self.begin)


# --- dense


def _dense_applies(problem: Problem) -> str | None:
    lanes, group = problem.device.vector_width, problem.node.attrs.group
    channels, filters = problem.x.shape[1] // group, problem.y.shape[1] // group
    if group > 1 and (channels % lanes or filters % lanes):
        return f"groups of {channels} channels and {filters} filters do not fill blocks of {lanes}"
    return bytes_obstacle(problem) or ends.obstacle(problem)


def _dense_lower(problem: Problem) -> Lowered:
    device, sizes, group = problem.device, _Sizes.of(problem), problem.node.attrs.group
    lanes = device.vector_width
    channels, filters = problem.x.shape[1] // group, problem.y.shape[1] // group
    blocks, in_block = items(filters, lanes), problem.x.layout.block
    vectors, pixels = tile_of(device.registers, blocks, sizes.out[1])
    parameters = ends.parameters(problem)
    kernel = Kernel.of(
        "quantised/bytes/conv.cl.mako",
        "byte_conv",
        lanes=lanes,
        in_block=in_block,
        vectors=vectors,
        pixels=pixels,
        kernel=sizes.kernel,
        strides=sizes.strides,
        dilations=sizes.dilations,
        pads=sizes.pads,
        **parameters,
    )
    chunks = items(blocks, vectors)
    beside = chunks * problem.x.shape[0] * group
    wanted = max(
        items(_ITEMS_A_CORE * device.compute_units, beside),
        items(problem.x.size, _ITEM_BYTES * problem.x.shape[0] * group),
    )
    height, width = sizes.out
    rows, length = max(1, height // wanted), width
    if height == 1:
        length = min(width, items(items(width, pixels), wanted) * pixels)
    packing = conv_weights(in_block, lanes * vectors, group, parameters["dot"] == "words")
    weights = problem.packed(ends.weights_index(problem), packing)
    arguments = [
        *ends.operands(problem, weights, lanes * vectors, group),
        *sizes.arguments,
        *ends.zero_argument(problem),
        ("quads", Scalar(items(channels, 4))),
        ("filters", Scalar(filters)),
        ("groups", Scalar(group)),
        ("rows", Scalar(rows)),
        ("length", Scalar(length)),
        *ends.epilogue_arguments(problem),
    ]
    parts = items(height, rows) * items(width, length)
    size = (chunks, parts, problem.x.shape[0] * group)
    return Lowered((problem.call(kernel, arguments, size),))


# --- depthwise


def _depthwise_applies(problem: Problem) -> str | None:
    if not problem.node.attrs.group == problem.x.shape[1] == problem.y.shape[1]:
        return "needs one filter for each channel"
    if problem.x.shape[1] <= 4:
        return "needs more channels than lie in blocks of four"
    if any(d != 1 for d in problem.node.attrs.dilations):
        return "reads pixels side by side"
    window = pair(ends.weights_of(problem).shape[2:], 1)
    if _padded_width(problem) * problem.device.vector_width * window[0] > _ROOM:
        return f"the rows of a window have more than {_ROOM} bytes"
    return bytes_obstacle(problem) or ends.obstacle(problem)


def _padded_width(problem: Problem) -> int:
    """Pixels of an input row that windows see, which have their taps in fours."""
    width, fours = problem.y.shape[-1], items(ends.weights_of(problem).shape[-1], 4)
    return int((width - 1) * problem.node.attrs.strides[-1] + 4 * fours)


def _depthwise_lower(problem: Problem) -> Lowered:
    device, at = problem.device, problem.node.attrs
    spatial, lanes = problem.x.rank - 2, device.vector_width
    size, out = pair(problem.x.shape[2:], 1), pair(problem.y.shape[2:], 1)
    pixels = items(out[1], items(out[1], min(out[1], 8)))
    in_row = _padded_width(problem) * lanes
    window, strides = pair(ends.weights_of(problem).shape[2:], 1), pair(at.strides, 1)
    kernel = Kernel.of(
        "quantised/bytes/depthwise.cl.mako",
        "byte_depthwise",
        lanes=lanes,
        pixels=pixels,
        room=_ROOM,
        kernel=window,
        strides=strides,
        **ends.parameters(problem),
    )
    blocks = items(problem.x.shape[1], lanes)
    wanted = max(1, 2 * _ITEMS_A_CORE * device.compute_units // (blocks * problem.x.shape[0]))
    rows = max(1, out[0] // wanted)
    band = min(rows, (_ROOM // in_row - window[0]) // strides[0] + 1)
    weights = problem.packed(ends.weights_index(problem), depthwise_weights(lanes))
    arguments = [
        *ends.operands(problem, weights, lanes, 1),
        *image_arguments(size, out, pair(at.pads[:spatial], 0)),
        *ends.zero_argument(problem),
        ("rows", Scalar(rows)),
        ("band", Scalar(band)),
        ("padded_width", Scalar(in_row // lanes)),
        *ends.epilogue_arguments(problem),
    ]
    index_space = (items(out[0], rows), blocks, problem.x.shape[0])
    return Lowered((problem.call(kernel, arguments, index_space),))


# --- simple


def _simple_lower(problem: Problem) -> Lowered:
    at, y, spatial = problem.node.attrs, problem.y, problem.x.rank - 2
    if not y.size:
        return Lowered()
    size, out = pair(problem.x.shape[2:], 1), pair(y.shape[2:], 1)
    kernel_size, strides = pair(ends.weights_of(problem).shape[2:], 1), pair(at.strides, 1)
    dilations = pair(at.dilations, 1)
    kernel = Kernel.of(
        "quantised/bytes/conv_simple.cl.mako",
        "byte_conv_simple",
        twice=bool(at.twice),
        other=problem.has(OTHER),
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.argument(1)),
        ("multiplier", problem.argument(2)),
        ("bias", problem.argument(3)),
        ("numbers", problem.argument(4)),
        *([("other", problem.argument(OTHER))] if problem.has(OTHER) else []),
        ("y", Write(problem.node.outputs[0])),
        *image_arguments(size, out, pair(at.pads[:spatial], 0)),
        ("kernel_height", Scalar(kernel_size[0])),
        ("kernel_width", Scalar(kernel_size[1])),
        ("stride_height", Scalar(strides[0])),
        ("stride_width", Scalar(strides[1])),
        ("dilation_height", Scalar(dilations[0])),
        ("dilation_width", Scalar(dilations[1])),
        ("x_zero", Scalar(int(at.x_zero))),
        ("channels", Scalar(problem.input(1).shape[1])),
        ("filters", Scalar(y.shape[1])),
        ("groups", Scalar(at.group)),
    ]
    index_space = (math.prod(out), y.shape[1], y.shape[0])
    return Lowered((problem.call(kernel, arguments, index_space),))


def _simple_rounds(problem: Problem) -> int:
    return nested(1, *problem.input(1).shape[1:], 1)


register(
    Variant("ByteConv", "depthwise", _depthwise_applies, _depthwise_lower, conv_signatures),
    Variant("ByteConv", "dense", _dense_applies, _dense_lower, conv_signatures),
    tiles("ByteConv"),
    Variant("ByteConv", "simple", always, _simple_lower, rounds=_simple_rounds),
)
register(
    Variant("ByteConvToFloat", "depthwise", _depthwise_applies, _depthwise_lower, conv_signatures),
    Variant("ByteConvToFloat", "dense", _dense_applies, _dense_lower, conv_signatures),
    tiles("ByteConvToFloat"),
    real_simple("ByteConvToFloat"),
)

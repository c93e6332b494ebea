"""Winograd's transform U = G g G' of filters that only a run brings, by a launch before the convolution."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.graph.ops.base import Cost
from clconv.lowering.model.arguments import Argument, PackedValue, Read, Scalar, Write
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.ops.conv.transforms import Transform
from clconv.lowering.shared.work_split import items
from clconv.records import record

# Channels of a work-item of a CPU: what it reads of the filters of a vector is lines of memory of its own.
_CHANNELS = 8


@record(frozen=True)
class Places:
    """Where U of filter f, channel c and position p lies among its elements:
    f // filter_block * filters_step + f % filter_block + c // channel_block * channels_step + c % channel_block *
    channel_step + p * position_step. filters, channels: with those that only pad out blocks, and are zero.
    """

    filters: int
    channels: int
    filter_block: int
    channel_block: int
    filters_step: int
    channels_step: int
    channel_step: int
    position_step: int


def transformed(
    transform: Transform, places: Callable[[int, int], Places]
) -> Callable[[PackedValue, str, str, DeviceInfo], tuple[KernelCall, int]]:
    """Packing.on_device of a packing that makes U in these places; places: for filters and channels."""

    def on_device(
        wanted: PackedValue, target: str, node: str, device: DeviceInfo
    ) -> tuple[KernelCall, int]:
        filters, channels = wanted.spec.shape[:2]
        taps, turned = math.prod(wanted.spec.shape[2:]), bool(wanted.packing.turned)
        if turned:
            filters, channels = channels, filters
        at = places(filters, channels)
        width = device.vector_width if device.is_cpu else 1
        vectors = at.filter_block // width if device.is_cpu else 1
        kernel = Kernel.of(
            "conv/winograd_filters.cl.mako", "winograd_filters", transform=transform.weights, width=width,
            vectors=vectors, turned=turned,
        )  # fmt: skip
        if wanted.spec.dtype is DType.FLOAT16:
            kernel = kernel.storing_half(("w",))
        per_item = _CHANNELS if device.is_cpu else 1
        sizes = {
            "filters": filters, "channels": channels,
            "filter_step": taps if turned else channels * taps, "channel_step": filters * taps if turned else taps,
        }  # fmt: skip
        steps = {f.name: getattr(at, f.name) for f in dataclasses.fields(at)[1:]}
        arguments: list[tuple[str, Argument]] = [
            ("w", Read(wanted.value, wanted.offset)),
            ("u", Write(target)),
            *((name, Scalar(size)) for name, size in sizes.items()),
            *((f"u_{name}", Scalar(step)) for name, step in steps.items()),
            ("per_item", Scalar(per_item)),
        ]
        nbytes = 4 * at.filters * at.channels * transform.n**2
        size = (at.filters // (width * vectors), items(at.channels, per_item))
        local = (1, 1) if device.is_cpu else None
        cost = Cost(0, wanted.spec.nbytes + nbytes)
        return KernelCall(node, kernel, tuple(arguments), size, local, cost), nbytes

    return on_device

"""What CPUs are given: which variant for which sizes, and what kernels ask for ahead."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.device.info import DeviceInfo, widened
from clconv.lowering.lower import LoweredGraph
from clconv.lowering.model.template import render
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX512, lower

SILENT = dataclasses.replace(AVX512, compute_units=2)
POCL = dataclasses.replace(SILENT, quirks=frozenset({"prefetch-does-nothing"}))


def convolution(channels: int, size: int, window: int, device: DeviceInfo) -> LoweredGraph:
    """As many filters as channels, the result as large as the image."""
    b = Builder()
    pads = (window // 2,) * 4
    out = b.conv(b.input(1, channels, size, size), channels, channels, window, pads=pads)
    return lower(b.graph(out), device)[1]


@pytest.mark.parametrize(
    ("channels", "size", "variant"), [(256, 14, "winograd2"), (64, 13, "winograd4")]
)
def test_weights_of_many_megabytes_count_for_more(channels: int, size: int, variant: str) -> None:
    """Those of F(4, 3) for 256 channels are 9 MB, which takes longer to bring than F(2, 3) takes to multiply."""
    (choice,) = convolution(channels, size, 3, POCL).choices.values()
    assert choice.name == variant


@pytest.mark.parametrize(
    ("more", "variant"), [({"halves-512-bits"}, "winograd4"), (set(), "winograd2")]
)
def test_products_count_twice_where_vectors_take_two_steps(more: set[str], variant: str) -> None:
    """As on a Zen 4, and not on a Zen 5, though functions have AVX-512 as an attribute on both."""
    device = dataclasses.replace(widened(POCL), quirks=POCL.quirks | more)
    (choice,) = convolution(256, 14, 3, device).choices.values()
    assert choice.name == variant


@pytest.mark.parametrize(("machine", "asks"), [(POCL, True), (SILENT, False)])
def test_pointwise_convolutions_ask_for_what_they_read_next(
    machine: DeviceInfo,
    asks: bool,
) -> None:
    (kernel,) = {
        call.kernel
        for call in convolution(64, 14, 1, machine).calls
        if "direct" in call.kernel.template
    }
    text = render(kernel)
    assert ("__builtin_prefetch((const void*)(size_t)(next" in text) == asks
    assert (
        "__builtin_prefetch((const void*)(size_t)((block_index + 1 < in_blocks ?" in text
    ) == asks

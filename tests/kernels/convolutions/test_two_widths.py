"""Register tiles of two widths, which fill images that tiles of one do not."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.cases.base import Case
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.template import render
from tests.kernels.support import check_passes, plan_for
from tests.lowering.support import AVX512

# Images of 12, 13, 25, 49 and 196 pixels and others, and one, two or three vectors of filters side by side.
CASES = (
    conv("narrower alone", (2, 19, 3, 4), (64, 19, 1, 1)),
    conv("wider alone", (1, 32, 13, 1), (64, 32, 1, 1)),
    conv("both", (1, 20, 5, 5), (70, 20, 1, 1)),
    conv("seven", (1, 48, 7, 7), (96, 48, 1, 1)),
    conv("fourteen", (1, 32, 14, 14), (64, 32, 1, 1)),
    conv("three vectors", (2, 21, 7, 7), (48, 21, 1, 1)),
    conv("one vector", (1, 17, 7, 7), (16, 17, 1, 1)),
    conv("prime", (1, 35, 1, 37), (33, 35, 1, 1), bias=False),
    conv("two widths, groups", (1, 64, 7, 7), (128, 32, 1, 1), group=2),
    conv("window", (1, 19, 14, 14), (64, 19, 3, 3), strides=(2, 2), pads=(1, 1, 1, 1)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_they_agree_with_the_reference(case: Case, device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("channel blocks are for CPU devices")
    check_passes(case, device, "direct")


def test_wide_vectors_compute_no_pixel_in_vain() -> None:
    """49 pixels are 13 and three times 12, in one text."""
    graph, _ = conv("seven", (1, 48, 7, 7), (64, 48, 1, 1)).build()
    machine = dataclasses.replace(AVX512, compute_units=2)
    (call,) = (
        c
        for c in plan_for(graph, machine, {"conv": "direct"}).calls
        if c.kernel.entry == "conv_direct"
    )
    parameters = dict(call.kernel.parameters)
    assert (parameters["pixels"], parameters["narrower"]) == (13, 12)
    assert render(call.kernel).count("#pragma unroll 1") == 1


def of_pixels(size: tuple[int, int], device: DeviceInfo) -> KernelCall:
    """The pointwise convolution of an image of this size."""
    graph, _ = conv("pixels", (1, 48, *size), (64, 48, 1, 1)).build()
    calls = plan_for(graph, device, {"conv": "direct"}).calls
    (call,) = (c for c in calls if c.kernel.entry == "conv_direct")
    return call


def test_only_images_of_less_than_a_tile_have_code_for_single_pixels() -> None:
    """It is a third of the text, and by rows such an image has no part that is less."""
    for size, loops, rows in (((13, 13), 1, True), ((7, 7), 1, False), ((3, 4), 2, True)):
        call = of_pixels(size, dataclasses.replace(AVX512, compute_units=2))
        assert render(call.kernel).count("#pragma unroll 1") == loops
        assert (call.by_rows is not None) == rows

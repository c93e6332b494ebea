"""Windows of one pixel with strides, whose pixels are copied side by side first."""

from __future__ import annotations

import pytest

from clconv.cases.base import Case
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from tests.kernels.support import check_passes, plan_for

STRIDED = (
    conv("odd sizes", (2, 19, 15, 13), (70, 19, 1, 1), strides=(2, 2)),
    conv("uneven strides", (1, 37, 11, 17), (131, 37, 1, 1), strides=(3, 2), bias=False),
    conv("rows of one pixel", (3, 16, 20, 2), (67, 16, 1, 1), strides=(1, 2)),
    conv("picked, one pixel", (1, 20, 2, 2), (70, 20, 1, 1), strides=(2, 2)),
    conv("one row", (1, 33, 1, 58), (72, 33, 1, 1), strides=(2, 2)),
    conv("picked, groups", (2, 64, 9, 28), (160, 32, 1, 1), strides=(2, 2), group=2),
    conv("picked, 1-D", (3, 21, 53), (66, 21, 1), strides=(3,)),
)


def copies(case: Case, device: DeviceInfo) -> int:
    """Launches of a direct convolution besides those that change layouts."""
    graph, _ = case.build()
    calls = plan_for(graph, device, {"conv": "direct"}).calls
    node = graph.nodes[0].name
    return sum(call.node == node and call.kernel.entry.startswith("move") for call in calls)


@pytest.mark.parametrize("case", STRIDED, ids=lambda case: case.label)
def test_they_agree_with_the_reference(case: Case, device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("channel blocks are for CPU devices")
    assert copies(case, device) == 1
    check_passes(case, device, "direct")


def test_pixels_that_are_read_once_stay_where_they_are(device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("channel blocks are for CPU devices")
    block = device.vector_width
    few = conv("few filters", (1, 24, 9, 9), (2 * block, 24, 1, 1), strides=(2, 2))
    padded = conv("pads", (1, 24, 9, 9), (70, 24, 1, 1), strides=(2, 2), pads=(1, 1, 1, 1))
    assert copies(few, device) == copies(padded, device) == 0

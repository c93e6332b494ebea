"""Direct convolutions on plain images, whose tiles at the ends of a row copy what their windows reach."""

from __future__ import annotations

import pytest

from clconv.cases.base import Case
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from tests.kernels.support import check_passes

MODES = ("constant", "reflect", "edge", "wrap")
CASES = (
    *(conv(f"stem, {mode}", (2, 3, 21, 59), (37, 3, 7, 7), strides=(2, 2), pads=(3, 3, 3, 3), pad_mode=mode) for mode in MODES),
    *(conv(f"row shorter than its window, {mode}", (1, 2, 5, 4), (18, 2, 3, 7), pads=(1, 3, 1, 3), pad_mode=mode) for mode in MODES),
    *(conv(f"dilated, uneven pads, {mode}", (1, 3, 9, 31), (17, 3, 2, 3), dilations=(2, 5), strides=(1, 3), pads=(1, 0, 2, 8), pad_mode=mode) for mode in MODES),
    conv("windows outside", (1, 1, 4, 3), (16, 1, 3, 3), strides=(2, 2), pads=(9, 40, 9, 40)),
    conv("gaps between windows", (1, 3, 11, 41), (33, 3, 2, 2), strides=(5, 5), pads=(0, 4, 0, 4)),
    conv("short rows without pads", (2, 3, 6, 9), (35, 3, 3, 3)),
    conv("channels of pixels", (2, 3, 6, 9), (35, 3, 1, 1)),
    conv("plain, 1-D", (2, 3, 53), (20, 3, 9), strides=(4,), pads=(4, 4)),
)  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_they_agree_with_the_reference(case: Case, precision: str, device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("channel blocks are for CPU devices")
    check_passes(case, device, "direct", precision=precision)

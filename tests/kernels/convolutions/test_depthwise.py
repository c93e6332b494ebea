"""Depthwise convolutions on GPUs: two rows an item where there are many, and work-groups that fit images."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.cases import CASES
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from clconv.errors import VariantError
from clconv.graph.reference import run_reference
from clconv.lowering.ops.conv import depthwise_gpu
from clconv.runtime.check import relative_error
from tests.kernels.support import check_passes, plan_for, run


@pytest.mark.slow
def test_two_rows_an_item(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depthwise_gpu, "_ITEMS_A_UNIT", 0)
    tried, odd = 0, 0
    for case in (case for case in CASES if case.op == "Conv"):
        graph, feeds = case.build()
        try:
            plan = plan_for(graph, device, {"conv": "depthwise_gpu"})
        except VariantError:
            continue
        made = [c for c in plan.calls if c.kernel.entry == "conv_depthwise_plain"]
        assert made and all(dict(c.kernel.parameters)["rows"] == 2 for c in made)
        found = run(plan, feeds)
        for name, expected in run_reference(graph, feeds).items():
            assert relative_error(found[name], expected) <= case.tolerance, case.name
            odd += expected.shape[2] % 2
        tried += 1
    assert tried >= 3 and odd


@pytest.mark.parametrize(
    ("batch", "channels", "size", "group"),
    [
        (3, 12, 7, (2, 32, 1)),
        (1, 12, 7, (2, 8, 4)),
        (2, 5, 14, (4, 16, 1)),
        (1, 5, 6, (2, 8, 1)),
        (2, 6, 33, (8, 8, 1)),
    ],
)
def test_work_groups_are_as_wide_as_the_image(
    batch: int, channels: int, size: int, group: tuple[int, ...], device: DeviceInfo
) -> None:
    """Lines of all images share one, and channels where an image has too few: the last lines of a work-group are past the last image."""
    able = dataclasses.replace(
        device, kind="gpu", largest_work_group=max(64, device.largest_work_group)
    )
    case = conv(
        "small",
        (batch, channels, size, size),
        (channels, 1, 3, 3),
        pads=(1,) * 4,
        group=channels,
    )
    graph, _ = case.build()
    (call,) = plan_for(graph, able, {"conv": "depthwise_gpu"}).calls
    assert call.local_size == group
    if device.largest_work_group >= 64:
        check_passes(case, device, "depthwise_gpu")

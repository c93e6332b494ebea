"""Depthwise convolutions whose work-items compute two rows each, as they do where there are many."""

from __future__ import annotations

import pytest

from clconv.cases import CASES
from clconv.device.info import DeviceInfo
from clconv.errors import VariantError
from clconv.graph.reference import run_reference
from clconv.lowering.ops.conv import depthwise_gpu
from clconv.runtime.check import relative_error
from tests.kernels.support import plan_for, run


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

"""Every case through every variant that applies, on every device, against the NumPy reference."""

from __future__ import annotations

import pytest

from clconv.cases import CASES, Case
from clconv.graph.ops import OPS
from clconv.graph.reference import run_reference
from clconv.lowering.device import DeviceInfo
from clconv.runtime.check import relative_error
from tests.kernels.support import plans, run

DEVICE_CASES = [case for case in CASES if not OPS[case.op].host_only]


@pytest.mark.parametrize("case", DEVICE_CASES, ids=lambda case: case.name)
def test_every_variant_agrees_with_the_reference(case: Case, device: DeviceInfo) -> None:
    graph, feeds = case.build()
    expected = run_reference(graph, feeds)
    tried = 0
    for variant, plan in plans(case, device):
        found = run(plan, feeds)
        for name, reference in expected.items():
            assert found[name].dtype == reference.dtype, f"variant {variant}, output {name}"
            error = relative_error(found[name], reference)
            assert error <= case.tolerance, f"variant {variant}, output {name}: error {error:.3g}"
        tried += 1
    assert tried, f"no variant of {case.op} applies to {case.name}"

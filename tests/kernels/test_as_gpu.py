"""What lowering chooses for GPUs, on whatever device there is: tiles of transposes, vectors of element-wise kernels."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.errors import KernelBuildError
from clconv.graph.reference import run_reference
from clconv.lowering.model.call import Kernel
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import Program, open_device
from tests.kernels.support import plan_for, run

# Operators whose kernels ask what kind of device it is, but which have one variant for all kinds.
OPS = ("Transpose", "Slice", "DepthToSpace", "Add", "Relu", "PRelu", "BatchNormalization", "Gather")
SAMPLE = [case for case in CASES if case.op in OPS]


@pytest.fixture(scope="module")
def compiled() -> dict[DeviceInfo, dict[Kernel, Program]]:
    return {}


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case.name)
def test_a_gpus_choice_agrees_with_the_reference(
    case: Case,
    device: DeviceInfo,
    request: pytest.FixtureRequest,
    compiled: dict[DeviceInfo, dict[Kernel, Program]],
) -> None:
    gpu = dataclasses.replace(device, kind="gpu")
    if (
        gpu not in compiled
    ):  # many kernels in each program; what a compiler refuses is left for its case
        chosen = [
            i.callspec.params["case"]
            for i in request.session.items
            if getattr(i, "originalname", "") == request.node.originalname
        ]
        calls = [c for one in chosen for c in plan_for(one.build()[0], gpu, {}).calls]
        compiled[gpu] = {}
        with contextlib.suppress(KernelBuildError):
            prepared = open_device(gpu).compiler.prepare([c.kernel for c in calls])
            compiled[gpu] = prepared
    graph, feeds = case.build()
    plan = plan_for(graph, gpu, {})
    found = run(plan, feeds)
    for name, expected in run_reference(graph, feeds).items():
        assert relative_error(found[name], expected) <= case.tolerance


def test_transposes_go_through_local_memory(device: DeviceInfo) -> None:
    gpu = dataclasses.replace(device, kind="gpu", largest_work_group=256)
    entries = {
        case.name: {call.kernel.entry for call in plan_for(case.build()[0], gpu, {}).calls}
        for case in SAMPLE
        if case.op == "Transpose"
    }
    assert any("move_local" in found for found in entries.values()), entries

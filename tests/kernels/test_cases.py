"""Every case through every variant that applies, on every device, against the NumPy reference."""

from __future__ import annotations

import contextlib

import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.errors import KernelBuildError, UnsupportedError
from clconv.graph.ops import OPS
from clconv.graph.reference import run_reference
from clconv.lowering.model.call import Kernel
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import Program, open_device
from tests.kernels.support import plan_for, plans, run

DEVICE_CASES = [case for case in CASES if OPS[case.op].has_kernel]
_COMPILED = pytest.StashKey[set[tuple[str, DeviceInfo]]]()
_HELD = pytest.StashKey[dict[Kernel, Program]]()


@pytest.fixture
def compiled(request: pytest.FixtureRequest, case: Case, device: DeviceInfo) -> None:
    """Compiles what the chosen cases of this operator need, many kernels in each program.

    A program for each case takes twice the time of a whole cold run. What a compiler refuses is left
    for the case that needs it.
    """
    done = request.config.stash.setdefault(_COMPILED, set())
    if (case.op, device) in done:
        return
    done.add((case.op, device))
    parameters = [i.callspec.params for i in request.session.items if hasattr(i, "callspec")]
    chosen = {id(p["case"]): p["case"] for p in parameters if isinstance(p.get("case"), Case)}
    same = [c for c in chosen.values() if c.op == case.op]
    kernels = [call.kernel for c in same for _, plan in plans(c, device) for call in plan.calls]
    with contextlib.suppress(KernelBuildError):
        programs = open_device(device).prepare(kernels, lambda done, total: None)
        request.config.stash[_HELD] = programs  # until the next operator's are compiled


@pytest.mark.usefixtures("compiled")
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
    if not tried:  # the device lacks what it takes: it is refused, and says why
        assert "cl_khr_fp64" not in device.extensions or device.most_rounds
        with pytest.raises(UnsupportedError, match=r"cl_khr_fp64|rounds of a work-item's loops"):
            plan_for(graph, device, {})

"""Every case through every variant that applies, on every device, against the NumPy reference.

Of an operator with many cases the quick run tries a variant on the first four, and where it is the one that is chosen.
"""

from __future__ import annotations

import collections
import contextlib

import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.errors import KernelBuildError, UnsupportedError
from clconv.graph.ops import OPS
from clconv.graph.reference import run_reference
from clconv.lowering.model.call import Kernel
from clconv.planning.plan import Plan
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import Program, open_device
from tests.kernels.support import plan_for, plans, run

DEVICE_CASES = [case for case in CASES if OPS[case.op].has_kernel]
Plans = list[tuple[str, Plan]]
MOST_QUICK = 4
_MADE = pytest.StashKey[dict[tuple[str, DeviceInfo], dict[str, Plans]]]()
_HELD = pytest.StashKey[dict[Kernel, Program]]()


@pytest.fixture
def made(request: pytest.FixtureRequest, case: Case, device: DeviceInfo) -> Plans:
    """The case's plans. Compiles what the chosen cases of this operator need, many kernels in each program.

    A program for each case takes twice the time of a whole cold run. What a compiler refuses is left
    for the case that needs it.
    """
    done = request.config.stash.setdefault(_MADE, {})
    if (case.op, device) not in done:
        parameters = [i.callspec.params for i in request.session.items if hasattr(i, "callspec")]
        chosen = {id(p["case"]): p["case"] for p in parameters if isinstance(p.get("case"), Case)}
        same = [c for c in chosen.values() if c.op == case.op]
        found = {c.name: list(plans(c, device)) for c in same}
        if not request.config.getoption("--whole"):
            found = without_repetitions(found, same, device)
        done.clear()  # the last operator's
        done[case.op, device] = found
        kernels = [
            c.kernel for of_case in found.values() for _, plan in of_case for c in plan.calls
        ]
        with contextlib.suppress(KernelBuildError):
            programs = open_device(device).prepare(kernels, lambda done, total: None)
            request.config.stash[_HELD] = programs  # until the next operator's are compiled
    return done[case.op, device][case.name]


def without_repetitions(
    found: dict[str, Plans], cases: list[Case], device: DeviceInfo
) -> dict[str, Plans]:
    tried: collections.Counter[str] = collections.Counter()
    kept: dict[str, Plans] = {}
    for case in cases:
        usual = None
        with contextlib.suppress(UnsupportedError):
            choices = plan_for(case.build()[0], device, {}).lowered.choices.values()
            usual = {choice.name.partition(" ")[0] for choice in choices}
        wanted = [
            (variant, plan)
            for variant, plan in found[case.name]
            if tried[variant] < MOST_QUICK or usual is None or variant in usual
        ]
        kept[case.name] = wanted or found[case.name]  # one that became other nodes chose theirs
        tried.update(variant for variant, _ in kept[case.name])
    return kept


@pytest.mark.parametrize("case", DEVICE_CASES, ids=lambda case: case.name)
def test_every_variant_agrees_with_the_reference(
    case: Case, device: DeviceInfo, made: Plans
) -> None:
    graph, feeds = case.build()
    expected = run_reference(graph, feeds)
    tried = 0
    for variant, plan in made:
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

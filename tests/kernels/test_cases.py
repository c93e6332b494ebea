"""Every case through every variant that applies, on every device, against the NumPy reference.

The quick run tries a variant where it is the one that is chosen, and besides on the first case that it applies to; on the
first two, of the first of the operators whose kernels come from one module. The whole run has more cases, and tries it
besides on the first four. --soak tries it on every case. What the compiler's optimiser makes of a variant is tried on one
case in the quick run, on two in the whole, on all with --soak.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import itertools

import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.errors import KernelBuildError, UnsupportedError
from clconv.graph.ops import OPS
from clconv.graph.reference import run_reference
from clconv.lowering.model.call import Kernel
from clconv.lowering.variants import VARIANTS
from clconv.planning.plan import Plan
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import Program, open_device
from tests import optimisation
from tests.kernels.support import plan_for, plans, run
from tests.representatives import family

DEVICE_CASES = [case for case in CASES if OPS[case.op].has_kernel]
Plans = list[tuple[str, Plan]]
# Conv's direct kernel is unrolled over the square of the vector's width: with 16 floats it compiles for two seconds.
NARROW = 8
_WIDE = 4  # cases that longer runs try each variant on before they take shorter vectors
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
        items = [i for i in request.session.items if isinstance(i, pytest.Function)]
        cases = [i.callspec.params["case"] for i in items if i.function is request.function]
        of_table = {id(c): c for c in cases if isinstance(c, Case)}
        same = [c for c in of_table.values() if c.op == case.op]
        is_soak = request.config.getoption("--soak")
        is_whole = is_soak or request.config.getoption("--whole")
        if is_soak:
            found = every_plan(same, device)
        elif is_whole:
            found = without_repetitions(same, device, most=_WIDE, wide=_WIDE)
        else:
            found = without_repetitions(same, device, most_quick(case.op))
        done.clear()  # the last operator's
        done[case.op, device] = found
        held = request.config.stash[_HELD] = {}  # until the next operator's are compiled
        all_plans = [plan for of_case in found.values() for _, plan in of_case]
        held |= compiled(all_plans if is_soak else optimised_of(case.op, found, is_whole))
        with optimisation.without(device):
            held |= compiled(all_plans)
    return done[case.op, device][case.name]


def compiled(wanted: list[Plan]) -> dict[Kernel, Program]:
    found: dict[Kernel, Program] = {}
    for machine in dict.fromkeys(plan.device for plan in wanted):
        kernels = [c.kernel for p in wanted if p.device == machine for c in p.calls]
        with contextlib.suppress(KernelBuildError):
            found |= open_device(machine).compiler.prepare(kernels)
    return found


def optimised_of(op: str, found: dict[str, Plans], is_whole: bool = False) -> list[Plan]:
    """The plans whose kernels are as users have them; the others go without optimisation: one of each variant in the
    quick run, of the first of the operators whose kernels come from one module, as the others differ from it by an
    expression. In the whole run two, and one of each of the others."""
    earlier = [
        o for o in itertools.takewhile(lambda o: o != op, VARIANTS) if family(o) == family(op)
    ]
    known = {variant.name for other in earlier for variant in VARIANTS[other]}
    first: dict[str, list[Plan]] = collections.defaultdict(list)
    for of_case in found.values():
        for variant, plan in of_case:
            first[variant].append(plan)
    return [
        plan
        for variant, plans_of_it in first.items()
        for plan in plans_of_it[: is_whole + (variant not in known)]
    ]


def every_plan(cases: list[Case], device: DeviceInfo) -> dict[str, Plans]:
    """All plans of an operator's cases, by case."""
    tried: collections.Counter[str] = collections.Counter()
    made: dict[str, Plans] = {}
    for case in cases:
        found = list(plans(case, device))
        if all(tried[variant] >= _WIDE for variant, _ in found):
            found = list(plans(case, narrowed(case, device)))
        made[case.name] = found
        tried.update(variant for variant, plan in found if plan.device == device)
    return made


def without_repetitions(
    cases: list[Case], device: DeviceInfo, most: int, wide: int = 1
) -> dict[str, Plans]:
    """The plans of an operator's cases where a variant is tried: on its first cases, and where it is what is chosen.
    By case. wide: cases that each variant is tried on before they take shorter vectors."""
    tried: collections.Counter[str] = collections.Counter()
    kept: dict[str, Plans] = {}
    for case in cases:
        machine, found = device, list(plans(case, device))
        if all(tried[variant] >= wide for variant, _ in found):
            machine = narrowed(case, device)
            found = list(plans(case, machine))
        usual = None
        with contextlib.suppress(UnsupportedError):
            choices = plan_for(case.build()[0], machine, {}).lowered.choices.values()
            usual = {choice.name.partition(" ")[0] for choice in choices}
        wanted = [
            (variant, plan)
            for variant, plan in found
            if tried[variant] < most or usual is None or variant in usual
        ]
        kept[case.name] = wanted or found  # one that became other nodes chose theirs
        tried.update(variant for variant, _ in kept[case.name])
    return kept


def most_quick(op: str) -> int:
    first = next(other for other in VARIANTS if family(other) == family(op))
    return 2 if op == first else 1


def narrowed(case: Case, device: DeviceInfo) -> DeviceInfo:
    """The device, with shorter vectors where the kernels of long ones compile for long."""
    if case.op != "Conv" or not device.is_cpu:
        return device
    return dataclasses.replace(device, vector_width=min(device.vector_width, NARROW))


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

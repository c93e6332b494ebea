"""Every value of every tunable parameter gives right results, on an awkward case of its operator."""

from __future__ import annotations

import pytest

from clconv.cases import CASES, Case
from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo
from clconv.device.measurements import Entry, Machine, Measurements, Shape
from clconv.diagnosis.doctor import GUARD, plan_of
from clconv.graph.reference import run_reference
from clconv.lowering.model.kernel import VARIANTS, Variant
from clconv.planning.plan import Plan
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import open_device
from tests.kernels.support import run
from tests.planning.support import make_plan
from tests.representatives import family

TUNABLE = [v for variants in VARIANTS.values() for v in variants if v.space]
# Their kernels are large, and test_cases.py runs each with the values that are chosen without tuning.
LARGE = ("Conv", "ConvTranspose", "ConvWeightGradient", "Gemm", "MatMul")


def is_repeated(variant: Variant) -> bool:
    """Whether an earlier operator has the same variant from the same module, with another expression in it."""
    key = family(variant.op), variant.name
    return variant is not next(v for v in TUNABLE if (family(v.op), v.name) == key)


def _is_by(plan: Plan, variant: Variant) -> bool:
    return [choice.variant.name for choice in plan.lowered.choices.values()] == [variant.name]


def tuned_plan(case: Case, device: DeviceInfo, variant: Variant, name: str, value: object) -> Plan:
    graph, _ = case.build()
    (node,) = graph.nodes
    shape = Shape.of(
        node,
        [graph.spec(n) if n else None for n in node.inputs],
        [graph.specs[n] for n in node.outputs],
    )
    machine = Machine.of(device)
    entry = Entry(machine, shape, variant.name, ((name, value),))
    specs = {n: graph.specs[n] for n in graph.inputs}
    findings = Findings(measurements=Measurements(machine, (entry,)))
    plan = make_plan(graph, specs, device, findings=findings, guard=GUARD)
    (choice,) = plan.lowered.choices.values()
    assert choice.name == f"{variant.name} {name}={value}"
    return plan


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(v, marks=[pytest.mark.slow] * (v.op in LARGE or is_repeated(v)))
        for v in TUNABLE
    ],
    ids=lambda v: f"{v.op}-{v.name}",
)
def test_every_value_agrees_with_the_reference(variant: Variant, device: DeviceInfo) -> None:
    cases = [c for c in CASES if c.op == variant.op]
    possible = [(c, plan_of(c, device, variant.name)) for c in cases]
    # A node that is cut into slices is several problems, and where there is nothing to compute another variant serves.
    fitting = [c for c, plan in possible if plan and _is_by(plan, variant)]
    if not fitting:
        pytest.skip(f"{variant.name} is not for {device}")
    values = [(name, value) for name, all_of_it in variant.space.items() for value in all_of_it[1:]]
    plans = []
    for number, (name, value) in enumerate(values):
        case = fitting[number * 7 % len(fitting)]  # other cases for other values
        plans.append((case, name, value, tuned_plan(case, device, variant, name, value)))
    kernels = [call.kernel for *_, plan in plans for call in plan.calls]
    _held = open_device(device).compiler.prepare(kernels)
    for case, name, value, plan in plans:
        graph, feeds = case.build()
        found = run(plan, feeds)
        for output, reference in run_reference(graph, feeds).items():
            error = relative_error(found[output], reference)
            assert error <= case.tolerance, f"{name}={value} on {case.name}: error {error:.3g}"

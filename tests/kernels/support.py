"""Runs a case on a device through one variant, guarded by canaries."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator

import numpy as np

from clconv.cases import Case
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.diagnosis.doctor import examine
from clconv.errors import VariantError
from clconv.graph.ir import Graph
from clconv.graph.passes import run_passes
from clconv.graph.specialise.specialise import specialise
from clconv.lowering.choice.select import select
from clconv.lowering.lower import lower_graph, problem_of
from clconv.lowering.variants import VARIANTS
from clconv.planning.plan import Plan
from clconv.runtime.prepared import PreparedDevice
from tests.planning.support import make_plan

GUARD = 256


def check_passes(case: Case, device: DeviceInfo, variant: str, precision: str = "float32") -> None:
    """The variant computes the case, and agrees with the reference, as `clconv doctor` sees it."""
    result = examine(case, device, variant, precision=precision)
    assert result is not None and result.passed, result


def plans(case: Case, device: DeviceInfo) -> Iterator[tuple[str, Plan]]:
    """(variant, plan) for every variant of the case's operator that applies."""
    graph, _ = case.build()
    for variant in VARIANTS[case.op]:
        try:
            yield variant.name, plan_for(graph, device, {case.op.lower(): variant.name})
        except VariantError:
            continue


def applicable(case: Case, device: DeviceInfo) -> tuple[str, ...]:
    """The variants that plans() tries: those that can be chosen, without lowering with each."""
    graph, _ = case.build()
    specs = {name: graph.specs[name] for name in graph.inputs}
    optimised = run_passes(specialise(graph, specs).graph)
    problems = [problem_of(optimised, node, device) for node in optimised.nodes]
    found = []
    for variant in VARIANTS[case.op]:
        options = PlanOptions(forced={case.op.lower(): variant.name})
        with contextlib.suppress(VariantError):
            for problem in problems:
                select(dataclasses.replace(problem, options=options))
            if hasattr(sys.modules[variant.lower.__module__], "Composite"):
                lower_graph(optimised, device, options)  # its own nodes are forced, too
            found.append(variant.name)
    return tuple(found)


def plan_for(
    graph: Graph, device: DeviceInfo, forced: dict[str, str], precision: str = "float32"
) -> Plan:
    specs = {name: graph.specs[name] for name in graph.inputs}
    return make_plan(graph, specs, device, forced=forced, guard=GUARD, precision=precision)


def run(plan: Plan, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    bound = PreparedDevice(plan.device).bind(plan, guarded=True)
    return bound.run({name: np.asarray(feeds[name], order="C") for name in plan.graph.inputs})

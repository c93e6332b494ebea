"""Planner: from a graph and the sizes of its inputs to a Plan, step by step. Pure: no device is opened."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Mapping

import numpy as np

from clconv import config
from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ClconvWarning, DeviceMemoryError, Guard
from clconv.garbage import uncollected
from clconv.graph.batch_split import BatchSplit, batch_of, split_batch
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.passes.bytes import place_bytes
from clconv.graph.passes.half import Converted, place_half
from clconv.graph.specialise.cut import Cut
from clconv.graph.specialise.specialise import specialise
from clconv.graph.verify import verify, verify_state
from clconv.lowering.choice.bands import in_bands
from clconv.lowering.choice.bytes import bytes_test, pays_on_bytes
from clconv.lowering.choice.half import half_test
from clconv.lowering.lower import LoweredGraph, lower_graph
from clconv.lowering.model.call import Kernel
from clconv.planning.batch import halves_of, images_at_a_time
from clconv.planning.constants import constant_bytes
from clconv.planning.joining import are_joined, join_launches
from clconv.planning.lifetimes import value_lifetimes
from clconv.planning.memory import (
    Lifetime,
    MemoryPlan,
    largest_live_set,
    plan_memory,
    with_external,
)
from clconv.planning.other_sizes import CallsByNode, calls_at, other_sizes
from clconv.planning.plan import Plan
from clconv.planning.state import place_state
from clconv.records import record
from clconv.spans import span

Specs = Mapping[str, TensorSpec]
OnPass = Callable[[str, str, Graph], None]  # the sizes that are planned for, the pass, what it made


@record(frozen=True)
class _Request:
    """What plan() was asked for. ahead: whether other sizes will come, whose kernels belong to the plan, too. on_pass:
    called with each pass and what it made."""

    graph: Graph
    specs: Specs
    values: Mapping[str, np.ndarray] | None
    known: Mapping[str, str] | None
    ahead: bool
    on_pass: Callable[[str, Graph], None] | None

    def part(self, split: BatchSplit) -> _Request:
        """The same for the images of one run."""
        return dataclasses.replace(self, graph=split.graph, specs=split.specs)


class Planner:
    """Plans networks for one device. Keeps what its plans share: constants as halves, and which joined kernels
    the plans so far have, so that another size compiles none.

    device: with what of it is verified, see clconv.probes. findings: what earlier runs found out about it.
    on_pass: called after each pass.
    """

    def __init__(
        self,
        device: DeviceInfo,
        options: PlanOptions = PlanOptions(),
        findings: Findings = NOTHING_FOUND,
        on_pass: OnPass | None = None,
    ) -> None:
        self.device, self.options, self.findings = device, options, findings
        self._on_pass = on_pass
        self._converted: Converted = {}
        self._compiled: dict[Kernel, None] = {}

    @property
    def joins(self) -> bool:
        """Whether launches go to this device as one."""
        return are_joined(self.device, self.options, self.findings)

    def plan(
        self,
        graph: Graph,
        specs: Specs,
        values: Mapping[str, np.ndarray] | None = None,
        *,
        known: Mapping[str, str] | None = None,
        declared: Specs | None = None,
    ) -> Plan:
        """The plan of a graph for inputs of the given specs.

        values: inputs whose content is known already. known: variants that nodes take at other sizes, which they
        keep unless another is clearly faster. declared: specs of the inputs with open sizes where plans for other
        sizes will follow; their kernels are then in this plan's joined launches, but for those of a graph that updates
        its state.

        Raises ShapeError, UnsupportedError, VariantError, DeviceMemoryError, or InputError for an input without
        a spec. Whatever else goes wrong becomes an InternalError.
        """
        # A step of training mostly stays with one size, and would compile nearly twice as long.
        several = declared is not None and not graph.updates and _has_open(declared, specs)
        ahead = self.joins and not values and several
        sizes = " ".join(str(spec) for spec in specs.values())
        request = _Request(graph, specs, values, known, ahead, self._on_pass_for(sizes))
        with span("plan"), Guard(f"the plan for {sizes}"), uncollected():
            plan, whole = self._with_room(request)
            plan = self._few_images(request, plan, whole)
            if not self.joins:
                return plan
            others = self._other_sizes(request, plan, declared) if ahead and declared else {}
            return self._joined(self.banded(plan), others)

    def has_room(self, graph: Graph, specs: Specs, spare: int) -> bool:
        """Whether the device has memory for a run and so many bytes besides."""
        room = max(0, self.device.global_memory - spare)
        left = dataclasses.replace(self.device, global_memory=room)
        try:
            Planner(left, self.options, self.findings).plan(graph, specs)
        except DeviceMemoryError:
            return False
        return True

    def plan_as_is(self, graph: Graph, cut: Cut | None = None) -> Plan:
        """The plan of a graph whose specs are all known, without a pass: launch by launch, all images at once.

        cut: what is left to do behind it."""
        return self._plan_of(graph, self._lower(graph), cut)

    # The steps, in order.

    def _at_once(self, request: _Request) -> Plan:
        """Sizes, halves, passes, variants and layouts, memory, for all images of the request at once."""
        with span("passes"):
            specialised = specialise(request.graph, request.specs, request.values)
            placed = self._place_halves(specialised.graph)
            optimised = self._place_bytes(run_passes(placed, request.on_pass), request.on_pass)
        verify_state(optimised)
        lowered = self._lower(optimised, request.ahead, request.known)
        return self._plan_of(optimised, lowered, specialised.cut)

    def _place_halves(self, graph: Graph) -> Graph:
        takes_half = half_test(self.device, self.options)
        narrow = self.options.precision == "float16"
        return place_half(graph, self._converted, takes_half, narrow)

    def _place_bytes(self, graph: Graph, on_pass: Callable[[str, Graph], None] | None) -> Graph:
        if not self.device.dot_verified:
            return graph
        placed = place_bytes(graph, bytes_test(self.device, self.options))
        if not pays_on_bytes(placed, self.device):
            return graph
        if on_pass is not None and placed is not graph:
            on_pass("place_bytes", verify(placed))
        return placed

    def _lower(
        self, graph: Graph, ahead: bool = False, known: Mapping[str, str] | None = None
    ) -> LoweredGraph:
        lowered = lower_graph(graph, self.device, self.options, self.findings, ahead, known)
        return place_state(graph, lowered, self.device)

    def _plan_of(self, graph: Graph, lowered: LoweredGraph, cut: Cut | None) -> Plan:
        lifetimes = value_lifetimes(graph, lowered)
        state = {name: graph.spec(name).nbytes for name in graph.state}
        left = self.device.global_memory - constant_bytes(graph, lowered, self.device)
        memory = with_external(
            self._memory(lifetimes, left - sum(state.values())),
            state,
            self.device.base_alignment,
        )
        live = largest_live_set(lifetimes)
        return Plan(self.device, graph, lowered, memory, live, lowered.calls, cut)

    def _memory(self, lifetimes: list[Lifetime], left: int) -> MemoryPlan:
        device, guard = self.device, self.options.guard
        if guard:  # each value has a place of its own: a neighbour of another time would hide a stray write
            lifetimes = [dataclasses.replace(value, first=0, last=0) for value in lifetimes]
        return plan_memory(lifetimes, device.base_alignment, device.largest_allocation, left, guard)

    def _with_room(self, request: _Request) -> tuple[Plan, Graph]:
        """The plan for all images, or for as many as the device has memory for: half of them, a quarter and so on,
        or those that the options ask for. And the graph of all images, with all specs."""
        try:
            plan = self._at_once(request)
            return plan, plan.graph
        except DeviceMemoryError:
            settled = specialise(request.graph, request.specs, request.values)
            if settled.cut is not None:
                raise
            asked = self.options.images_at_once
            counts = halves_of(batch_of(settled.graph)) if asked is None else (asked,)
            for count in counts:
                split = split_batch(settled.graph, count)
                if split is None:
                    break
                with contextlib.suppress(DeviceMemoryError):
                    return self._for_images(request, split), settled.graph
            raise

    def _few_images(self, request: _Request, plan: Plan, whole: Graph) -> Plan:
        """The plan for fewer images at a time, where those take less or the options ask for them; else the same.

        whole: the graph for all images."""
        asked = self.options.images_at_once
        if plan.cut is not None or asked == 0:
            return plan
        count = images_at_a_time(plan) if asked is None else asked
        if count >= batch_of(plan.graph):
            return plan
        split = split_batch(whole, count)
        if split is not None:
            return self._for_images(request, split)
        if asked is not None:
            why = "it is not certain that none looks at another"
            if whole.updates:
                why = "its state changes once a run"
            warnings.warn(
                f"{config.IMAGES.name}={asked}: '{request.graph.name}' gets its {batch_of(whole)} images at once, "
                f"because {why}",
                ClconvWarning,
                stacklevel=3,
            )
        return plan

    def _for_images(self, request: _Request, split: BatchSplit) -> Plan:
        return dataclasses.replace(self._at_once(request.part(split)), batch_split=split)

    def _other_sizes(self, request: _Request, plan: Plan, declared: Specs) -> CallsByNode:
        """Calls of sizes that stand for those to come, by node."""

        def lowered(sizes: Specs) -> LoweredGraph:
            other = dataclasses.replace(request, specs=sizes, known=None, on_pass=None)
            return self._at_once(other).lowered

        specs = request.specs if plan.batch_split is None else plan.batch_split.specs
        return calls_at(other_sizes(declared, specs), lowered)

    def banded(self, plan: Plan) -> Plan:
        """The plan with what lies between large layers in bands of rows."""
        lowered = in_bands(plan.graph, plan.lowered, self.device)
        if lowered is plan.lowered:
            return plan
        banded = self._plan_of(plan.graph, lowered, plan.cut)
        return dataclasses.replace(banded, batch_split=plan.batch_split)

    def _joined(self, plan: Plan, others: CallsByNode) -> Plan:
        joined = join_launches(plan, self._compiled, others, self.options.parts)
        self._compiled.update(dict.fromkeys(call.kernel for call in joined.launches))
        return joined

    def _on_pass_for(self, sizes: str) -> Callable[[str, Graph], None] | None:
        on_pass = self._on_pass
        return None if on_pass is None else lambda name, graph: on_pass(sizes, name, graph)


def _has_open(declared: Specs, specs: Specs) -> bool:
    """Whether the inputs are all declared, one of them with a size that may change."""
    named = [declared.get(name) for name in specs]
    return None not in named and not all(spec.is_static for spec in named if spec)

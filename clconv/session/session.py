"""Session: a network on a device. Plans are made for each set of input shapes and kept."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clconv.debug import say
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import DeviceMemoryError, InputError
from clconv.graph.ir import Graph, TensorSpec
from clconv.planning.planner import Planner
from clconv.runtime.bound import BoundPlan, Progress
from clconv.runtime.check import OnNode, checked_run
from clconv.runtime.device import found_again
from clconv.runtime.state import DeviceState
from clconv.session.inputs import (
    check_state,
    conform,
    conform_shapes,
    fed_defaults,
    with_inputs,
)
from clconv.session.stages import Bodies, Shared, Stage


class Session:
    """Runs a graph on one device. Safe to call from several threads.

    graph: as imported; the passes run here. device: as devices() lists it; features that it claims and
    the graph may use are tested here, and the session's `device` has those that gave correct results. guard: bytes of
    canary around every value, checked after each run (for tests). precision: "float32", "strict" (float32 without variants in which a value can affect results that do
    not read it), "tf32", or "float16" to store weights and intermediate values as halves; None takes CLCONV_PRECISION.

    state: where the graph's state lies; sessions that are given the same one share it, and with it their weights and
    compiled kernels. None: one of its own. initial: values of the state by name; what is not written is zero, or what
    the others left there. Raises InputError where these do not fit the graph, or the state lies on another device.
    """

    def __init__(
        self,
        graph: Graph,
        device: DeviceInfo,
        *,
        progress: Progress = lambda done, total: None,
        guard: int = 0,
        precision: str | None = None,
        state: DeviceState | None = None,
        initial: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._given = device
        options = PlanOptions.from_config(precision, guard=guard)
        check_state(graph, device, state, initial)
        self._shared = shared = Shared(graph, device, options, progress, state)
        for name, value in (initial or {}).items():
            self.state.write(name, value)
        self.device = shared.planner.device
        self._imported = graph if graph.metadata.get("defaults") else None
        self._with_fed: dict[frozenset[str], Session] = {}
        self._with_fed_lock = threading.Lock()
        self.graph = shared.passed(graph, "import")
        self._stage = Stage(shared, self.graph)
        self._bodies = Bodies(shared)
        say(1, f"device {device}, driver {device.driver}")
        if all(spec.is_static for spec in self.inputs.values()):
            self.prepare({n: spec.shape for n, spec in self.inputs.items()})

    @property
    def _guard(self) -> int:
        return self._shared.planner.options.guard

    @property
    def precision(self) -> str:
        return self._shared.planner.options.precision

    @property
    def state(self) -> DeviceState:
        """What outlasts the runs. Raises InputError for a graph without state."""
        if self._shared.state is None:
            raise InputError(f"graph '{self.graph.name}' has no state")
        return self._shared.state

    @property
    def inputs(self) -> dict[str, TensorSpec]:
        """Specs of the inputs that run() takes as the model declares them; unknown sizes are names or None."""
        return self.graph.input_specs()

    @property
    def outputs(self) -> dict[str, TensorSpec | None]:
        """Specs of the outputs as the model declares them. Where it does not, what follows if all its input sizes are
        known, else None."""
        declared = self.graph.metadata.get("output_specs", {})
        found = {name: declared.get(name) for name in self.graph.returned}
        inputs = self.inputs
        if None in found.values() and all(spec.is_static for spec in inputs.values()):
            known = self.output_specs({name: spec.shape for name, spec in inputs.items()})
            found = {name: spec or known.get(name) for name, spec in found.items()}
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied or pickled, a session is made anew on the same device, which the process that unpickles it has to
        have, with state of its own that holds the same. `progress` stays behind."""
        values = {name: self.state.read(name) for name in self.graph.state}
        return _restored, (self.graph, self._given, self.precision, self._guard, values)

    def prepare(self, shapes: Mapping[str, Sequence[int]]) -> BoundPlan:
        """Plans, compiles and allocates for these input shapes, so that run() only runs. The plan is one for fewer
        images if those run a few at a time. Raises InputError for shapes that the inputs do not take."""
        return self._stage.ready(self._specs(shapes), {}).bound

    def has_room(self, shapes: Mapping[str, Sequence[int]], spare: int = 0) -> bool:
        """Whether the device has memory for a run on inputs of these shapes and so many bytes besides. Nothing is
        compiled or allocated. Raises InputError for shapes that the inputs do not take."""
        planner = self._shared.planner
        left = dataclasses.replace(
            planner.device, global_memory=max(0, planner.device.global_memory - spare)
        )
        try:
            Planner(left, planner.options, planner.findings).plan(self.graph, self._specs(shapes))
        except DeviceMemoryError:
            return False
        return True

    def output_specs(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, TensorSpec]:
        """Specs of the outputs for these input shapes, less those that depend on what the inputs hold."""
        ready = self._stage.ready(self._specs(shapes), {})
        plan = ready.bound.plan
        graph, split = plan.graph, plan.batch_split
        found = {n: graph.spec(n) for n in self.graph.returned if n in graph.outputs}
        return found if split is None else split.whole(found)

    def _specs(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, TensorSpec]:
        return conform_shapes(self.inputs, shapes)

    def run(
        self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Output arrays by name for input arrays by name.

        outputs: which ones, all by default. feeds may hold values for initialisers that the model lists among its
        inputs, too. Raises InputError for a wrong name, rank, size or dtype.
        """
        if self._imported is not None and (fed := fed_defaults(self._imported, feeds)):
            return self._fed(self._imported, fed).run(feeds, outputs)
        arrays = conform(self.inputs, feeds)
        if isinstance(outputs, str):
            raise InputError(f"outputs are a list of names, not the text {outputs!r}")
        wanted = self.graph.returned if outputs is None else tuple(outputs)
        unknown = [name for name in wanted if name not in self.graph.returned]
        if unknown:
            raise InputError(f"no outputs {unknown}; the model has {list(self.graph.returned)}")
        values = self._stage.run(arrays, self._bodies)
        return {name: values[name] for name in wanted}

    def _fed(self, graph: Graph, names: frozenset[str]) -> Session:
        """A session for runs that give values for initialisers, which are inputs there."""
        with self._with_fed_lock:
            if names not in self._with_fed:
                self._with_fed[names] = Session(
                    with_inputs(graph, names), self._given, guard=self._guard,
                    precision=self.precision, state=self._shared.state,
                )  # fmt: skip
            return self._with_fed[names]

    def check(self, feeds: Mapping[str, np.ndarray], on_node: OnNode) -> dict[str, np.ndarray]:
        """Like run(), but node by node: on_node(node, output, relative error, variant) learns how far each
        result is from the NumPy reference."""

        def execute(bound: BoundPlan, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return checked_run(bound, arrays, on_node)

        return self._stage.run(conform(self.inputs, feeds), self._bodies, execute=execute)


def _restored(
    graph: Graph,
    device: DeviceInfo,
    precision: str,
    guard: int,
    values: Mapping[str, np.ndarray],
) -> Session:
    return Session(graph, found_again(device), precision=precision, guard=guard, initial=values)

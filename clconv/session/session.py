"""Session: a network on a device. Plans are made for each set of input shapes and kept."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.debug import say
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import InputError
from clconv.graph.described import graph_html, values_line
from clconv.graph.inside import value_names
from clconv.graph.ir import Graph, TensorSpec
from clconv.runtime.bound import BoundPlan, Progress
from clconv.runtime.device import found_again
from clconv.runtime.opencl import Place
from clconv.runtime.prepared import Execute
from clconv.runtime.progress import silent
from clconv.runtime.state import DeviceState
from clconv.session import elsewhere
from clconv.session.inputs import (
    Feeds,
    as_feeds,
    called_feeds,
    check_state,
    conform,
    conform_shapes,
    fed_defaults,
    with_inputs,
)
from clconv.session.kept_plans import KeptPlans
from clconv.session.network import Network
from clconv.session.on_device import OnDevice
from clconv.session.opened import Opened
from clconv.session.shared import Shared
from clconv.session.wanted import Outputs, Wanted

if TYPE_CHECKING:
    from clconv.runtime.check import OnNode


class Session(OnDevice):
    """Runs a graph on one device. Safe to call from several threads. `with` closes it at the end; without, all that is on
    the device is freed with the last reference.

    graph: as imported; the passes run here. Or plans of a graph that are kept in a file: where they are there, nothing is
    imported or planned until it is needed. device: as devices() lists it, or the Place of a caller's context; features that it claims and
    the graph may use are tested here, and the session's `device` has those that gave correct results. guard: bytes of
    canary around every value, checked after each run (for tests). precision: "float32", "strict" (float32 without variants in which a value can affect results that do
    not read it), "tf32", or "float16" to store weights and intermediate values as halves; None takes CLCONV_PRECISION.

    state: where the graph's state lies; sessions that are given the same one share it, and with it their weights and
    compiled kernels. None: one of its own. initial: values of the state by name; what is not written is zero, or what
    the others left there. Raises InputError where these do not fit the graph, or the state lies on another device.
    """

    def __init__(
        self,
        graph: Graph | KeptPlans,
        device: DeviceInfo | Place,
        *,
        progress: Progress = silent,
        guard: int = 0,
        precision: str | None = None,
        state: DeviceState | None = None,
        initial: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._pool_lock = threading.Lock()
        place = device if isinstance(device, Place) else None
        device = device.device if isinstance(device, Place) else device
        self._given = device
        options = PlanOptions.from_config(precision, guard=guard)
        plans = graph if isinstance(graph, KeptPlans) else None
        stored = plans and plans.network
        if plans and not stored:
            graph = plans.graph()
        probed = stored.probed(device) if stored else None
        if isinstance(graph, Graph):
            check_state(graph, device, state, initial)
        shared = Shared(graph, device, options, progress, state, probed, place)
        self.device, self.options = shared.prepared.device.info, options
        passes = functools.partial(shared.passed, stage="import")
        make = graph.graph if isinstance(graph, KeptPlans) else graph
        self._network = Network(make, passes, stored.face if stored else None)
        self._with_fed: dict[frozenset[str], Session] = {}
        self._with_fed_lock = threading.Lock()
        self._others: tuple[DeviceInfo, ...] = ()
        self._elsewhere: list[Session] = []
        self._open = Opened(shared, self._network, plans)
        for name, value in (initial or {}).items():
            self.state.write(name, value)
        say(1, f"device {device}, driver {device.driver}")
        self._known_outputs: dict[str, TensorSpec] = {}
        if all(spec.is_static for spec in self.inputs.values()):
            shapes = {n: spec.shape for n, spec in self.inputs.items()}
            self._stage.ready(self.specs_of(shapes), {}, stored=True)
            self._known_outputs = self.output_specs(shapes)

    def close(self) -> None:
        """Frees what is held on all its devices, once runs that are under way have ended. Any further run raises
        ClosedError; closing again does nothing."""
        super().close()
        with self._with_fed_lock:
            others = [*self._with_fed.values(), *self._elsewhere]
            self._with_fed.clear()
            self._elsewhere = []
        for other in others:
            other.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"<Session '{self._name}', closed>"
        return (
            f"<Session '{self._name}' on {self.device}, {self.precision}: {values_line(self.inputs)} -> "
            f"{values_line(self.outputs)}>"
        )

    def _repr_html_(self) -> str:
        return graph_html(self.imported, repr(self), self.outputs)

    @property
    def precision(self) -> str:
        """What load() was given as `precision`, or took from CLCONV_PRECISION."""
        return self.options.precision

    @property
    def state(self) -> DeviceState:
        """What outlasts the runs. Raises InputError for a graph without state."""
        if self._shared.state is None:
            raise InputError(f"graph '{self._name}' has no state")
        return self._shared.state

    @property
    def inputs(self) -> dict[str, TensorSpec]:
        """Specs of the inputs that run() takes as the model declares them; unknown sizes are names or None."""
        return dict(self._input_specs)

    @functools.cached_property
    def _input_specs(self) -> dict[str, TensorSpec]:
        return self._network.face.input_specs()

    @property
    def outputs(self) -> dict[str, TensorSpec | None]:
        """Specs of the outputs: what follows if all input sizes are known, else as the model declares them, None where it
        does not."""
        declared = self._network.face.metadata.get("output_specs", {})
        return {
            name: self._known_outputs.get(name) or declared.get(name)
            for name in self._network.face.returned
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied or pickled, a session is made anew on the same device, which the process that unpickles it has to
        have, with state of its own that holds the same. `progress` stays behind."""
        values = {name: self.state.read(name) for name in self._network.face.state}
        options, places = self.options, (self._given, *self._others)
        return _restored, (self.imported, places, options.precision, options.guard, values)

    def prepare(self, shapes: Mapping[str, Sequence[int]]) -> BoundPlan:
        """Plans, compiles and allocates for these input shapes, so that run() only runs. The plan is one for fewer
        images if those run a few at a time. Raises InputError for shapes that the inputs do not take."""
        return self._stage.ready(self.specs_of(shapes), {}).bound

    def has_room(self, shapes: Mapping[str, Sequence[int]], spare: int = 0) -> bool:
        """Whether the device has memory for a run on inputs of these shapes and so many bytes besides. Nothing is
        compiled or allocated. Raises InputError for shapes that the inputs do not take."""
        planner = self._shared.planner_of(self.imported)
        return planner.has_room(self.graph, self.specs_of(shapes), spare)

    def output_specs(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, TensorSpec]:
        """Specs of the outputs for these input shapes, less those that depend on what the inputs hold."""
        ready = self._stage.ready(self.specs_of(shapes), {}, stored=True)
        plan = ready.bound.plan
        graph, split = plan.graph, plan.batch_split
        found = {n: graph.spec(n) for n in self._network.face.returned if n in graph.outputs}
        return found if split is None else split.whole(found)

    def specs_of(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, TensorSpec]:
        """Specs of the inputs with these shapes. Raises InputError for shapes that they do not take."""
        return conform_shapes(self.inputs, shapes)

    def __call__(self, *arrays: Any, **named: Any) -> Any:
        """run() of arrays in the order of the model's inputs, or by their names: the output's array where the model has
        one, else a dict by name."""
        found = self.run(called_feeds(self.inputs, arrays, named))
        return found[next(iter(found))] if len(found) == 1 else found

    def run(
        self, feeds: Feeds, outputs: Outputs | None = None, *, wait_for: Any = ()
    ) -> dict[str, Any]:
        """Output arrays by name for input arrays by name.

        feeds: a mapping by name; for a model of one input its array, or lists of numbers or of examples; for one of
        several inputs a list of arrays in their order. It may hold values for initialisers that the model lists among
        its inputs, too. Arrays: NumPy's and what it understands, what speaks DLPack, DeviceArray, `pyopencl.array.Array`,
        `pyopencl.Buffer`, shared virtual memory; what lies on the device is read there.
        outputs: names of those that are wanted, all by default; "device" for a DeviceArray each, "pyopencl" for
        `pyopencl.array.Array`s; or a mapping from name to "host", "device", "pyopencl", or the array that it goes into.
        A run that only has results on the device returns once it is enqueued: their `events` say when they are there. Each
        run makes new arrays. wait_for: events of pyopencl that must be over before. See docs/device-arrays.md.

        Raises InputError for a wrong name, rank, size or dtype, and for arrays or events of another context; ClosedError
        after close().
        """
        quick = (self._open or self._opened).stage.quick
        if quick is not None and not wait_for:
            found = quick.run(feeds, outputs)  # if the last run was on arrays like these
            if found is not None:
                return found
        wanted = self._wanted(outputs)
        if wanted.is_on_host and not wait_for:
            feeds = as_feeds(self._input_specs, feeds)
            if not elsewhere.on_device_any(feeds):
                return self._on_host(feeds, wanted, None)
        return self._requested(feeds, wanted, wait_for)

    def _requested(self, feeds: Feeds, wanted: Wanted, wait_for: Any) -> dict[str, Any]:
        """run() for which the plan is taken only while it is enqueued."""
        opened, feeds = self._opened, as_feeds(self._input_specs, feeds)
        if fed := self._fed_initialisers(feeds):
            return self._fed(fed)._requested(feeds, wanted, wait_for)
        return elsewhere.run(opened, self._input_specs, feeds, wanted, wait_for)

    def _on_host(
        self, feeds: Mapping[str, Any], wanted: Wanted, execute: Execute | None
    ) -> dict[str, np.ndarray]:
        opened = self._opened
        if fed := self._fed_initialisers(feeds):
            return self._fed(fed)._on_host(feeds, wanted, execute)
        arrays = conform(self._input_specs, feeds)
        values = opened.stage.run(arrays, opened.bodies, None, execute)
        return {name: values[name] for name in wanted.places}

    def run_by(
        self, feeds: Feeds, execute: Execute | None, outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Like run() with results on the host, with execute(bound, arrays) for each plan that runs; None runs it as
        usual. What lies on the device is copied."""
        self._opened  # noqa: B018 - raises if it is closed
        given = elsewhere.as_host(as_feeds(self._input_specs, feeds))
        return self._on_host(given, self._wanted(outputs), execute)

    def activations(self, feeds: Feeds, names: str | Sequence[str]) -> dict[str, np.ndarray]:
        """Values inside the network, by the names that are asked for. The first call for the same names and sizes plans
        and compiles. State does not change.

        names: of values of the model's file, or of its nodes, which stand for their first output; also what runs joined
        with a later layer.
        Raises InputError for unknown names, with those that are like them, and as run() does.
        """
        opened, feeds = self._opened, elsewhere.as_host(as_feeds(self.inputs, feeds))
        if fed := self._fed_initialisers(feeds):
            return self._fed(fed).activations(feeds, names)
        wanted = (names,) if isinstance(names, str) else tuple(names)
        found = value_names(self.imported, wanted)
        arrays = conform(self.inputs, feeds)
        values = opened.inside(self.imported, found).run(arrays, opened.bodies)
        return {name: values[value] for name, value in zip(wanted, found, strict=True)}

    def _fed_initialisers(self, feeds: Mapping[str, Any]) -> frozenset[str]:
        has_any = self._network.face.metadata.get("defaults")
        return fed_defaults(self.imported, feeds) if has_any else frozenset()

    def _fed(self, names: frozenset[str]) -> Session:
        """A session for runs that give values for initialisers, which are inputs there."""
        with self._with_fed_lock:
            if names not in self._with_fed:
                self._with_fed[names] = Session(
                    with_inputs(self.imported, names), self._shared.place or self._given, guard=self.options.guard,
                    precision=self.precision, state=self._shared.state,
                )  # fmt: skip
            return self._with_fed[names]

    def check(self, feeds: Feeds, on_node: OnNode) -> dict[str, np.ndarray]:
        """Like run(), but node by node: on_node(node, output, relative error, variant) learns how far each
        result is from the NumPy reference."""
        from clconv.runtime.check import checked_run

        def execute(bound: BoundPlan, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return checked_run(bound, arrays, on_node)

        return self.run_by(feeds, execute)


def _restored(
    graph: Graph,
    devices: Sequence[DeviceInfo],
    precision: str,
    guard: int,
    values: Mapping[str, np.ndarray],
) -> Session:
    first, *others = map(found_again, devices)
    session = Session(graph, first, precision=precision, guard=guard, initial=values)
    session.spread_over(others)
    return session

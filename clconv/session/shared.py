"""What the stages of a session have in common: the planner, the device, and where its state lies."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from clconv.debug import say
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.garbage import uncollected
from clconv.graph.ir import Graph
from clconv.runtime.bound import Progress
from clconv.runtime.opencl import Place
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.state import DeviceState
from clconv.session.kept_plans import KeptPlans
from clconv.session.planned import dump_wanted
from clconv.spans import span

if TYPE_CHECKING:
    from clconv.planning.planner import Planner


class Shared:
    """What the stages of a session have in common. Nothing here leads back to a stage: without a circle all goes, the
    memory on the device too, with the last reference to the session."""

    def __init__(
        self,
        graph: Graph | KeptPlans,
        device: DeviceInfo,
        options: PlanOptions,
        progress: Progress,
        state: DeviceState | None = None,
        probed: DeviceInfo | None = None,
        place: Place | None = None,
    ):
        self.progress, self.options, self.place = progress, options, place
        self.dump = dump = dump_wanted()

        def on_pass(stage: str, name: str, graph: Graph) -> None:
            say(3, f"{stage} pass {name}: {len(graph.nodes)} nodes")
            if dump:
                dump.graph(stage, name, graph)

        self.on_pass = on_pass
        self._given = device
        self._planner: Planner | None = None
        self._lock = threading.Lock()
        with span("device"):
            if probed is None:
                assert isinstance(graph, Graph)
                probed = self.planner_of(graph).device
            self.prepared = PreparedDevice(probed, place) if state is None else state.prepared
        self.state = state
        if not isinstance(graph, Graph):
            return
        if state is None and graph.state:
            self.state = DeviceState(self.prepared, guard=options.guard)
        if self.state is not None:
            self.state.add({name: graph.specs[name] for name in graph.state})

    def planner_of(self, graph: Graph) -> Planner:
        """The planner, which knows what of the device this graph can use: that of the first that asks."""
        with self._lock:
            if self._planner is None:
                with uncollected():
                    from clconv.probes.probed import planner_for  # only now: it loads all kernels

                self._planner = planner_for(graph, self._given, self.options, self.on_pass)
            return self._planner

    def passed(self, graph: Graph, stage: str) -> Graph:
        """A graph after the passes that need no sizes."""
        with span("passes"), uncollected():
            from clconv.graph.passes import (
                run_passes,  # only now, as all that plans from the disk do without
            )

            return run_passes(graph, lambda name, now: self.on_pass(stage, name, now))

"""What a session holds on its device until it is closed."""

from __future__ import annotations

import collections
import threading

from clconv.graph.inside import with_outputs
from clconv.graph.ir import Graph
from clconv.session.stages import Bodies, Shared, Stage

_INSIDE_KEPT = 4


class Opened:
    """Plans of the whole network, of its subgraphs, and of the values inside that were last asked for."""

    def __init__(self, shared: Shared, graph: Graph) -> None:
        self.shared = shared
        self.stage = Stage(shared, graph)
        self.bodies = Bodies(shared)
        self._inside: collections.OrderedDict[tuple[str, ...], Stage] = collections.OrderedDict()
        self._lock = threading.Lock()

    def inside(self, imported: Graph, names: tuple[str, ...]) -> Stage:
        """The network as it was imported with these values as its outputs, which only reads its state."""
        with self._lock:
            if names not in self._inside:
                reading = imported.replace(state={name: name for name in imported.state})
                graph = self.shared.passed(with_outputs(reading, names), "activations")
                self._inside[names] = Stage(self.shared, graph)
                if len(self._inside) > _INSIDE_KEPT:
                    self._inside.popitem(last=False)
            self._inside.move_to_end(names)
            return self._inside[names]

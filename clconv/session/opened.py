"""What a session holds on its device until it is closed."""

from __future__ import annotations

import collections
import threading
from typing import TypeVar

from clconv.errors import ClosedError
from clconv.graph.inside import with_outputs
from clconv.graph.ir import Graph
from clconv.session.kept_plans import KeptPlans
from clconv.session.network import Network, whole
from clconv.session.shared import Shared
from clconv.session.stages import Bodies, Stage

_INSIDE_KEPT = 4
_Self = TypeVar("_Self", bound="Closable")


class Opened:
    """Plans of the whole network, of its subgraphs, and of the values inside that were last asked for."""

    def __init__(self, shared: Shared, network: Network, plans: KeptPlans | None) -> None:
        self.shared = shared
        self.plans, self.stage = plans, Stage(shared, network, plans)
        self.bodies = Bodies(shared)
        self._inside: collections.OrderedDict[tuple[str, ...], Stage] = collections.OrderedDict()
        self._lock = threading.Lock()

    def inside(self, imported: Graph, names: tuple[str, ...]) -> Stage:
        """The network as it was imported with these values as its outputs, which only reads its state."""
        with self._lock:
            if names not in self._inside:
                reading = imported.replace(state={name: name for name in imported.state})
                graph = self.shared.passed(with_outputs(reading, names), "activations")
                self._inside[names] = Stage(self.shared, whole(graph))
                if len(self._inside) > _INSIDE_KEPT:
                    self._inside.popitem(last=False)
            self._inside.move_to_end(names)
            return self._inside[names]


class Closable:
    """A network of which something is on a device until close(); `with` closes it at the end."""

    _open: Opened | None
    _network: Network

    def close(self) -> None:
        """Frees what is held on the device, once runs that are under way have ended. Any further run raises ClosedError;
        closing again does nothing. Without close() all is freed with the last reference."""
        opened, self._open = self._open, None
        if opened is not None and opened.plans is not None:
            opened.plans.settle()

    @property
    def _name(self) -> str:
        return self._network.face.name

    @property
    def imported(self) -> Graph:
        """The graph as it was given. What came from a file that was loaded before is imported when it is asked for."""
        return self._network.imported

    @property
    def graph(self) -> Graph:
        """After the passes that need no sizes."""
        return self._network.graph

    @property
    def closed(self) -> bool:
        return self._open is None

    def __enter__(self: _Self) -> _Self:
        self._opened  # noqa: B018 - raises if it is closed
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    @property
    def _opened(self) -> Opened:
        found = self._open
        if found is None:
            raise ClosedError(
                f"the session of '{self._name}' is closed; load the model again, or close it later"
            )
        return found

    @property
    def _shared(self) -> Shared:
        return self._opened.shared

    @property
    def _stage(self) -> Stage:
        return self._opened.stage

"""The network of a session: as it was imported, and after the passes. What was read from a file makes them when they are
asked for first."""

from __future__ import annotations

import threading
from collections.abc import Callable

from clconv.graph.ir import Graph


class Network:
    """imported: the graph, or what makes it. face: its name, inputs and outputs, where it is not made yet. passes: what it
    goes through before it is planned."""

    def __init__(
        self,
        imported: Graph | Callable[[], Graph],
        passes: Callable[[Graph], Graph],
        face: Graph | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._make = None if isinstance(imported, Graph) else imported
        self._imported = imported if isinstance(imported, Graph) else None
        self._passes, self._passed = passes, None if face is not None else passes(self.imported)
        self._face = face

    @property
    def face(self) -> Graph:
        """The graph, for those who ask for its name, inputs and outputs only."""
        return self.graph if self._face is None else self._face

    @property
    def imported(self) -> Graph:
        """As it was given. Raises what its import raises."""
        with self._lock:
            return self._given()

    def _given(self) -> Graph:
        if self._imported is None:
            assert self._make is not None
            self._imported = self._make()
        return self._imported

    @property
    def graph(self) -> Graph:
        """After the passes that need no sizes."""
        with self._lock:
            if self._passed is None:
                self._passed = self._passes(self._given())
            return self._passed


def whole(graph: Graph) -> Network:
    """A graph that needs no passes any more."""
    return Network(graph, lambda same: same)

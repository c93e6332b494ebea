"""A graph to which nodes are added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Constant, DType, Graph, TensorSpec
from clconv.graph.names import all_names, fresh_names
from clconv.graph.ops.base import Emitter
from clconv.graph.verify import verify


class GraphWriter(Emitter):
    """Adds nodes behind those of a graph."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(fresh_names(lambda: all_names(graph)))
        self.graph = graph
        self.inputs: dict[str, TensorSpec] = {}
        self.state: dict[str, str] = {}
        self.labelled: dict[str, str] = {}  # values that several nodes share, by what they are

    def one(self, op: str, *inputs: str, **attrs: Any) -> str:
        """Adds a node of one output; returns its name."""
        return self.emit(op, *inputs, **attrs)[0]

    def number(self, value: float, dtype: type[np.generic] = np.float32) -> str:
        return self.constant(np.array(value, dtype), "number")

    def add_input(self, hint: str, shape: Sequence[Any] = (), dtype: DType = DType.FLOAT32) -> str:
        """A further input, which a run is fed."""
        name = self.fresh(hint)
        self.inputs[name] = TensorSpec(tuple(shape), dtype)
        return name

    def add_state(self, name: str, spec: TensorSpec, new: str = "") -> None:
        """Further state; new: what it holds behind a run, itself if nothing changes it."""
        self.inputs[name] = spec
        self.state[name] = new or name

    def scaled(self, value: str, factor: float) -> str:
        return value if factor == 1 else self.one("Mul", value, self.number(factor))

    def finish(
        self, outputs: Sequence[str], without: Mapping[str, Constant] | Sequence[str] = ()
    ) -> Graph:
        """The graph with all that was added, these outputs and those of its state; without: constants that are none any
        more."""
        graph = self.graph
        state = {**graph.state, **self.state}
        kept = [new for name, new in state.items() if new != name]
        found = graph.replace(
            nodes=(*graph.nodes, *self.nodes),
            inputs=(*graph.inputs, *self.inputs),
            outputs=tuple(dict.fromkeys((*outputs, *kept))),
            specs={**{n: graph.specs[n] for n in graph.inputs if n in graph.specs}, **self.inputs},
            constants={
                n: c for n, c in {**graph.constants, **self.constants}.items() if n not in without
            },
            state=state,
        )
        return verify(found)

"""Puts subgraphs in the place of control flow: the branch that an If takes, every iteration of a short Loop or
Scan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import get_op, make_node
from clconv.graph.ops.control import (
    branch_of,
    declares,
    empty_scan,
    length_along,
    trip_count,
    truth,
)

# Iterations are written out up to so many nodes; longer loops are driven by the host, which takes no sequences:
# loops that carry one may be longer.
UNROLL_LIMIT = 2048
SEQUENCE_LIMIT = 1 << 15
# Nodes that all loops of a graph are written out to, those inside others included; the host drives the rest.
TOTAL_LIMIT = 1 << 14
_FOLLOWED = 1024  # elements of a value that is followed through a loop's iterations


class Inliner:
    """Copies subgraphs into one graph, each copy with names of its own.

    fresh: makes an unused name. constants: those of the graph, to which the subgraphs' are added.
    """

    def __init__(self, constants: dict[str, Constant], fresh: Callable[[str], str]) -> None:
        self._constants, self._fresh = constants, fresh

    def branch(self, node: Node, condition: np.ndarray) -> list[Node]:
        """The nodes of the branch that the condition chooses, and an Identity for each output of the If."""
        branch, given = branch_of(node, truth(condition))
        nodes, results = self.copy(branch, given, node, self._own_constants(branch, node))
        return [*nodes, *self._handed_on(node, dict(enumerate(results)))]

    def loop(self, node: Node, limit: int = UNROLL_LIMIT) -> list[Node] | None:
        """Every iteration of a Loop whose end is known, None if that would be more nodes than `limit`."""
        body, carried = node.attrs.body, node.attrs.carried
        count = self._trips(node, limit // max(1, weight(body)))
        if count is None:
            return None
        if not count and not all(declares(body, name) for name in body.outputs[1 + carried :]):
            return None  # what the host does then tells the shapes
        values = list(node.inputs[2 : 2 + carried])
        outside = node.inputs[2 + carried :]
        own = self._own_constants(body, node)
        going = self.constant(node, np.array(True))
        nodes: list[Node] = []
        slices: list[list[str]] = [[] for _ in body.outputs[1 + carried :]]
        for iteration in range(count):
            index = self.constant(node, np.array(iteration, np.int64))
            inside, results = self.copy(body, (index, going, *values, *outside), node, own)
            nodes += inside
            values = results[1 : 1 + carried]
            for kept, part in zip(slices, results[1 + carried :], strict=True):
                kept.append(part)
        nodes += self._handed_on(node, dict(enumerate(values)))
        names = body.outputs[1 + carried :]
        scans = list(zip(node.outputs[carried:], slices, names, strict=False))
        for output, parts, name in scans:
            nodes += self._stacked(node, output, parts, body, name, 0)
        return nodes

    def scan(self, node: Node, specs: Mapping[str, TensorSpec]) -> list[Node] | None:
        """Every iteration of a Scan, None if there are too many."""
        at, body = node.attrs, node.attrs.body
        states, count = at.states, at.num_scan_inputs
        sequences = node.inputs[states : states + count]
        axes = at.scan_input_axes or (0,) * count
        lengths = {
            length_along(self._spec(name, specs).shape, axis)
            for name, axis in zip(sequences, axes, strict=True)
        }
        if at.batched or len(lengths) != 1:
            return None
        (length,) = lengths
        if length * (weight(body) + count) > UNROLL_LIMIT:
            return None
        backwards = at.scan_input_directions or (0,) * count
        values, outside = list(node.inputs[:states]), node.inputs[states + count :]
        own = self._own_constants(body, node)
        nodes: list[Node] = []
        names = body.outputs[states:]
        slices: list[list[str]] = [[] for _ in names]
        for step in range(length):
            parts = []
            for name, axis, back in zip(sequences, axes, backwards, strict=True):
                place = self.constant(node, np.array(length - 1 - step if back else step, np.int64))
                parts.append(self._fresh(f"{node.name}/slice"))
                nodes.append(
                    make_node(
                        "Gather", (name, place), parts[-1:], self._fresh(parts[-1]), axis=axis
                    )
                )
            inside, results = self.copy(body, (*values, *parts, *outside), node, own)
            nodes += inside
            values = results[:states]
            for kept, part in zip(slices, results[states:], strict=True):
                kept.append(part)
        nodes += self._handed_on(node, dict(enumerate(values)))
        out_axes = at.scan_output_axes or (0,) * len(names)
        out_back = at.scan_output_directions or (0,) * len(names)
        for output, made, name, axis, back in zip(
            node.outputs[states:], slices, names, out_axes, out_back, strict=False
        ):
            nodes += self._stacked(node, output, made[::-1] if back else made, body, name, axis)
        return nodes

    def _trips(self, node: Node, most: int) -> int | None:
        """How often a Loop runs, if its inputs tell, and no more than `most` times; else None.

        What its body computes of known values alone, a counter and the condition that ends it, is followed
        from iteration to iteration.
        """
        body, carried = node.attrs.body, node.attrs.carried
        given = [self._constants.get(name) if name else None for name in node.inputs]
        trip, start = node.inputs[0], node.inputs[1] if len(node.inputs) > 1 else ""
        if (trip and given[0] is None) or (start and given[1] is None):
            return None
        limit = trip_count(given[0].array) if given[0] is not None else most + 1
        going = truth(given[1].array) if start and given[1] is not None else True
        known = {n: c.array for n, c in body.constants.items() if c.spec.size <= _FOLLOWED}
        outside = zip(body.inputs[2 + carried :], given[2 + carried :], strict=True)
        known.update((n, c.array) for n, c in outside if c and c.spec.size <= _FOLLOWED)
        state = [
            c.array if c and c.spec.size <= _FOLLOWED else None for c in given[2 : 2 + carried]
        ]
        nodes = _counting_nodes(body)
        count = 0
        while going and count < limit:
            if count == most:
                return None
            values = {
                **known,
                body.inputs[0]: np.array(count, np.int64),
                body.inputs[1]: np.array(True),
            }
            values.update(
                (n, v) for n, v in zip(body.inputs[2:], state, strict=False) if v is not None
            )
            for inner in nodes:
                if all(n in values for n in inner.inputs if n):
                    results = evaluate_node(inner, [values[n] if n else None for n in inner.inputs])
                    values.update(zip(inner.outputs, results, strict=False))
            if body.outputs[0] not in values:
                return None
            going = truth(values[body.outputs[0]])
            state = [values.get(name) for name in body.outputs[1 : 1 + carried]]
            count += 1
        return count

    def _own_constants(self, body: Graph, node: Node) -> dict[str, str]:
        """The subgraph's constants under names of the graph."""
        names = {}
        for name, constant in body.constants.items():
            names[name] = self._fresh(f"{node.name}/{name}")
            self._constants[names[name]] = constant
        return names

    def copy(
        self, body: Graph, given: Sequence[str], node: Node, own: Mapping[str, str]
    ) -> tuple[list[Node], list[str]]:
        """The subgraph's nodes for the given inputs, and the names of its outputs."""
        names = {"": "", **own, **dict(zip(body.inputs, given, strict=True))}
        inside = []
        for inner in body.nodes:
            names.update((o, self._fresh(f"{node.name}/{o}")) for o in inner.outputs if o)
            inside.append(
                dataclasses.replace(
                    inner,
                    name=self._fresh(f"{node.name}/{inner.name}"),
                    inputs=tuple(names[n] for n in inner.inputs),
                    outputs=tuple(names[o] for o in inner.outputs),
                )
            )
        return inside, [names[name] for name in body.outputs]

    def _handed_on(self, node: Node, results: Mapping[int, str]) -> list[Node]:
        return [
            make_node("Identity", (results[i],), (output,), self._fresh(f"{output}/result"))
            for i, output in enumerate(node.outputs)
            if output and i in results
        ]

    def _stacked(
        self, node: Node, output: str, parts: list[str], body: Graph, name: str, axis: int
    ) -> list[Node]:
        """The slices of a scan output along a new axis."""
        if not output:
            return []
        if not parts:
            self._constants[output] = Constant(empty_scan(body, name, axis))
            return []
        axes = self.constant(node, np.array([axis], np.int64))
        raised = [self._fresh(f"{node.name}/{output}/part") for _ in parts]
        nodes = [
            make_node("Unsqueeze", (part, axes), (name,), self._fresh(name))
            for part, name in zip(parts, raised, strict=True)
        ]
        return [*nodes, make_node("Concat", raised, (output,), self._fresh(output), axis=axis)]

    def constant(self, node: Node, value: np.ndarray) -> str:
        name = self._fresh(f"{node.name}/constant")
        self._constants[name] = Constant(value)
        return name

    def _spec(self, name: str, specs: Mapping[str, TensorSpec]) -> TensorSpec:
        constant = self._constants.get(name)
        return specs[name] if constant is None else constant.spec


def weight(body: Graph) -> int:
    """How many nodes one run of a subgraph is, loops inside it written out as far as their ends are known."""
    total = 0
    for node in body.nodes:
        inner = [value for value in node.attrs.values() if isinstance(value, Graph)]
        times = 1
        if node.op == "Loop" and node.inputs[0] in body.constants:
            times = max(1, trip_count(body.constants[node.inputs[0]].array))
        total += 1 + times * sum(weight(graph) for graph in inner)
    return total


def _counting_nodes(body: Graph) -> list[Node]:
    """The nodes that a Loop's condition depends on, in this iteration or through carried values."""
    producers = body.producers()
    # The value that an input of the body has in the next iteration.
    following = dict(zip(body.inputs[2:], body.outputs[1:], strict=False))
    wanted, seen = [body.outputs[0]], set()
    chosen: set[int] = set()
    while wanted:
        name = wanted.pop()
        if not name or name in seen:
            continue
        seen.add(name)
        if name in following:
            wanted.append(following[name])
        elif name in producers:
            chosen.add(id(producers[name]))
            wanted += producers[name].inputs
    counting = [node for node in body.nodes if id(node) in chosen]
    return [n for n in counting if get_op(n.op).folds and get_op(n.op).control is None]

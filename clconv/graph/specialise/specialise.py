"""Known input shapes turn a Graph into one whose every shape is known.

One sweep infers specs and folds what only depends on constants, because a shape rule may need a value
that a Shape/Gather/Concat chain computes. Where a rule needs a value that only exists at run time, the
graph is cut: what comes before is run, the value becomes known, and the rest is specialised then. The
condition of an If is such a value; once it is known, the branch stands in the If's place.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from clconv.errors import ClconvError, GraphError, Guard, InputError, NeedsValue, UnsupportedError
from clconv.graph.evaluate import call_of, infer_node, settle_node
from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.names import all_names, fresh_names
from clconv.graph.ops import get_op
from clconv.graph.ops.base import Expansion
from clconv.graph.specialise.cut import Specialised, cut
from clconv.graph.specialise.differentiate import differentiate, differentiated, with_constants
from clconv.graph.specialise.fold import Budget, fold
from clconv.graph.specialise.inline import SEQUENCE_LIMIT, TOTAL_LIMIT, UNROLL_LIMIT, Inliner
from clconv.graph.specialise.sequences import SequenceWriter


def specialise(
    graph: Graph,
    specs: Mapping[str, TensorSpec],
    values: Mapping[str, np.ndarray] | None = None,
) -> Specialised:
    """Infers every spec for the given input specs; inputs in `values` become constants. State has the graph's own.

    Raises ShapeError where shapes do not fit, InputError if an input's spec is missing, UnsupportedError where sizes
    depend on what state holds.
    """
    known: dict[str, TensorSpec] = {}
    constants = dict(graph.constants)
    for name in graph.inputs:
        if name in graph.state:
            known[name] = graph.specs[name]
        elif values and name in values:
            constants[name] = Constant(values[name])
        elif name in specs:
            known[name] = specs[name]
        else:
            raise InputError(f"no shape given for input '{name}'")
    # What gradients are asked of may not be folded into others; it is constant all the same.
    held = {n: constants.pop(n) for n in differentiated(graph) if n in constants}
    known.update((n, c.spec) for n, c in held.items())
    driven: set[str] = set()
    while True:
        try:
            found = Specialiser(graph, dict(known), dict(constants), driven).run()
        except _TooLarge as grown:
            driven.add(grown.loop)
            continue
        return (
            found
            if not held
            else Specialised(
                with_constants(found.graph, held),
                found.cut
                and dataclasses.replace(found.cut, rest=with_constants(found.cut.rest, held)),
            )
        )


class _TooLarge(ClconvError):
    """Written out, what is inside this loop of the graph would become too much: the host drives it."""

    def __init__(self, loop: str) -> None:
        super().__init__(loop)
        self.loop = loop


class Specialiser:
    """One sweep over a graph's nodes, which may put other nodes in the place of one."""

    def __init__(
        self,
        graph: Graph,
        known: dict[str, TensorSpec],
        constants: dict[str, Constant],
        driven: Collection[str],
    ) -> None:
        """driven: names of loops that are not written out."""
        self.graph, self.known, self.constants, self._driven = graph, known, constants, driven
        self._growth, self._budget = 0, Budget(constants.values())
        # Nodes that were written for a loop of the graph -> that loop, and whether it can be driven.
        self._part_of: dict[str, tuple[str, bool]] = {}
        self.done: list[Node] = []
        self.waiting: list[Node] = []
        self.host: list[Node] = []
        self.needed: list[str] = []
        self._blocked: set[str] = set()
        self._pending = collections.deque(graph.nodes)
        # Whoever makes names must not refer to the sweep: a reference cycle would keep all constants until the garbage
        # collector runs.
        self._fresh = fresh_names(lambda: {*all_names(graph), *constants})
        self._inliner = Inliner(constants, self._fresh)
        self.sequences = SequenceWriter(known, constants, self._fresh)

    def run(self) -> Specialised:
        while self._pending:
            node = self._pending.popleft()
            if self._blocked.intersection(node.inputs):
                self._wait(node)
                continue
            try:
                with Guard("its place in the plan", node.name, node.op):
                    self._take(node)
            except NeedsValue as reason:
                if reason.value_name in self.graph.state:
                    raise UnsupportedError(
                        f"node '{node.name}' ({node.op}): its sizes depend on what '{reason.value_name}' holds, which is "
                        "state and stays on the device; feed it as an input"
                    ) from None
                self._expect_tensor(node, reason.value_name)
                self.needed.append(reason.value_name)
                self._wait(node)
        for name in self.graph.outputs:
            if name in self.sequences.sequences:
                raise UnsupportedError(
                    f"output '{name}' is a sequence; clconv returns dense tensors"
                )
        if self._blocked:
            return cut(self)
        inputs = tuple(n for n in self.graph.inputs if n in self.known)
        return Specialised(
            self.graph.replace(
                nodes=tuple(self.done), inputs=inputs, specs=self.known, constants=self.constants
            )
        )

    def _take(self, node: Node) -> None:
        """Replaces, folds or keeps a node. Raises NeedsValue."""
        others = self._others(node)
        if others is not None:
            self._grow(node, others)
            self._pending.extendleft(reversed(others))
        elif not fold(node, self.known, self.constants, self._budget):
            self._keep(node)

    def _is_driven(self, node: Node) -> bool:
        """Whether a loop is left to the host without a look at it: it is large inside, or the others were."""
        if node.name in self._driven:
            return True
        carries = any(n in self.sequences.sequences for n in node.inputs)
        return self._growth > TOTAL_LIMIT - UNROLL_LIMIT and not (
            carries or node.name in self._part_of
        )

    def _grow(self, node: Node, written: Sequence[Node]) -> None:
        """Counts what loops are written out to. Raises _TooLarge, UnsupportedError where no loop can be left."""
        if node.op in ("Loop", "Scan"):
            self._growth += len(written)
        carries = any(n in self.sequences.sequences for n in node.inputs)
        loop, free = self._part_of.get(node.name, (node.name, True))
        free = free and not (node.op == "Loop" and carries)
        if node.op in ("Loop", "Scan", "If"):
            self._part_of.update((other.name, (loop, free)) for other in written)
        if node.op in ("Loop", "Scan") and self._growth > TOTAL_LIMIT:
            if free:
                raise _TooLarge(loop)
            if self._growth > SEQUENCE_LIMIT:
                raise UnsupportedError(
                    f"node '{loop}' (Loop): written out, it and what is inside it have more than {SEQUENCE_LIMIT:,} "
                    "nodes, and a loop that carries sequences cannot be left to the host"
                )

    def _wait(self, node: Node) -> None:
        self.waiting.append(node)
        self._blocked.update(o for o in node.outputs if o)

    def _others(self, node: Node) -> list[Node] | None:
        """The nodes that take the node's place, None if it stays. Raises NeedsValue."""
        if self.sequences.concerns(node):
            return self.sequences.write(node)
        if node.op == "If":
            condition = self.constants.get(node.inputs[0])
            if condition is None:
                raise NeedsValue(node.name, 0, node.inputs[0])
            return self._inliner.branch(node, condition.array)
        if node.op == "Gradient":
            return differentiate(
                node, self.done, self.known, self.constants, self._fresh, self.graph.outputs
            )
        if node.op in ("Loop", "Scan") and self._is_driven(node):
            return None
        if node.op == "Loop":
            carried = [n for n in node.inputs if n in self.sequences.sequences]
            written = self._inliner.loop(node, SEQUENCE_LIMIT if carried else UNROLL_LIMIT)
            for name in carried if written is None else ():
                raise UnsupportedError(
                    f"node '{node.name}' (Loop) carries the sequence '{name}', and how often it runs is not "
                    "known from the input's sizes, or is too often: sequences are for loops that "
                    "can be written out"
                )
            return written
        for name in node.inputs:
            self._expect_tensor(node, name)
        if node.op == "Scan":
            return self._inliner.scan(node, self.known)
        return None

    def _expect_tensor(self, node: Node, name: str) -> None:
        if name in self.sequences.sequences:
            raise GraphError(
                f"node '{node.name}' ({node.op}): '{name}' is a sequence, the operator takes a tensor there"
            )

    def _keep(self, node: Node) -> None:
        op = get_op(node.op)
        if op.host_only:
            if not self._expand(node):
                self.host.append(node)
                self._blocked.update(o for o in node.outputs if o)
            return
        node = settle_node(node, self.known, self.constants)
        outputs = infer_node(node, self.known, self.constants)
        if self._expand(node):
            return
        self.known.update((n, s) for n, s in zip(node.outputs, outputs, strict=False) if n)
        self.done.append(node)

    def _expand(self, node: Node) -> bool:
        """Puts the operators that the node is written with in its place; says whether there are any."""
        expand = get_op(node.op).expand
        if expand is None:
            return False
        expansion = Expansion(
            call_of(node, self.known, self.constants),
            self.constants,
            lambda hint: self._fresh(f"{node.name}/{hint}"),
        )
        if not expand(expansion):
            return False
        self.constants.update(expansion.constants)
        self._pending.extendleft(reversed(expansion.nodes))
        return True

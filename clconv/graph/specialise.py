"""Known input shapes turn a Graph into one whose every shape is known.

One sweep infers specs and folds what only depends on constants, because a shape rule may need a value
that a Shape/Gather/Concat chain computes. Where a rule needs a value that only exists at run time, the
graph is cut: what comes before is run, the value becomes known, and the rest is specialised then. The
condition of an If is such a value; once it is known, the branch stands in the If's place.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping

import numpy as np

from clconv.errors import InputError, NeedsValue
from clconv.graph.evaluate import evaluate_node, infer_node, settle_node
from clconv.graph.inline import put_branch
from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import get_op

# Folding may not blow a small model up: a folded tensor has at most this many elements, or is no
# larger than what it was made of.
FOLD_LIMIT = 1 << 22


@dataclasses.dataclass(frozen=True)
class Cut:
    """Where a graph has to stop until values are known.

    host_nodes run on the host with their references, once the first part has run; `needed` are values
    whose content (not only shape) the rest needs; rest is the remaining graph, whose inputs are values of
    the first part, outputs of the host nodes, or graph inputs.
    """

    host_nodes: tuple[Node, ...]
    needed: tuple[str, ...]
    rest: Graph


@dataclasses.dataclass(frozen=True)
class Specialised:
    """A graph with all specs known, and the cut behind it if it is not the whole."""

    graph: Graph
    cut: Cut | None = None


def specialise(
    graph: Graph,
    specs: Mapping[str, TensorSpec],
    values: Mapping[str, np.ndarray] | None = None,
) -> Specialised:
    """Infers every spec for the given input specs; inputs in `values` become constants.

    Raises ShapeError where shapes do not fit, InputError if an input's spec is missing.
    """
    known: dict[str, TensorSpec] = {}
    constants = dict(graph.constants)
    for name in graph.inputs:
        if values and name in values:
            constants[name] = Constant(values[name])
        elif name in specs:
            known[name] = specs[name]
        else:
            raise InputError(f"no shape given for input '{name}'")
    done: list[Node] = []
    waiting: list[Node] = []
    blocked: set[str] = set()
    host: list[Node] = []
    needed: list[str] = []
    pending = collections.deque(graph.nodes)
    while pending:
        node = pending.popleft()
        if blocked.intersection(node.inputs):
            waiting.append(node)
            blocked.update(node.outputs)
            continue
        if fold(node, known, constants):
            continue
        if node.op == "If":
            condition = constants.get(node.inputs[0])
            if condition is not None:
                pending.extendleft(reversed(put_branch(node, condition.array, graph, constants)))
                continue
            needed.append(node.inputs[0])
            waiting.append(node)
            blocked.update(o for o in node.outputs if o)
            continue
        if get_op(node.op).host_only:
            host.append(node)
            blocked.update(o for o in node.outputs if o)
            continue
        try:
            node = settle_node(node, known, constants)
            outputs = infer_node(node, known, constants)
        except NeedsValue as reason:
            needed.append(reason.value_name)
            waiting.append(node)
            blocked.update(o for o in node.outputs if o)
            continue
        known.update((n, s) for n, s in zip(node.outputs, outputs, strict=False) if n)
        done.append(node)
    if not blocked:
        inputs = tuple(n for n in graph.inputs if n in known)
        return Specialised(
            graph.replace(nodes=tuple(done), inputs=inputs, specs=known, constants=constants)
        )
    return _cut(graph, known, constants, done, host, needed, waiting)


def fold(node: Node, specs: Mapping[str, TensorSpec], constants: dict[str, Constant]) -> bool:
    """Adds the node's outputs to `constants` if they only depend on constants; says whether it did."""
    if node.op == "If":
        return False  # its branch takes its place
    if node.op in ("Shape", "Size") and node.inputs[0] in specs and specs[node.inputs[0]].is_static:
        source: list[np.ndarray | None] = [np.empty(specs[node.inputs[0]].shape, np.bool_)]
    elif all(not n or n in constants for n in node.inputs):
        source = [constants[n].array if n else None for n in node.inputs]
        if not get_op(node.op).host_only:
            node = settle_node(node, specs, constants)
            outputs = infer_node(node, specs, constants)
            budget = max(FOLD_LIMIT, sum(a.size for a in source if a is not None))
            if sum(s.size for s in outputs) > budget:
                return False
    else:
        return False
    for name, value in zip(node.outputs, evaluate_node(node, source), strict=False):
        if name:
            constants[name] = Constant(value)
    return True


def _cut(
    graph: Graph,
    known: Mapping[str, TensorSpec],
    constants: Mapping[str, Constant],
    done: list[Node],
    host: list[Node],
    needed: list[str],
    waiting: list[Node],
) -> Specialised:
    made_later = {o for node in waiting for o in node.outputs if o}
    read_later = [n for node in waiting for n in node.inputs if n and n not in made_later]
    read_later += [n for n in graph.outputs if n not in made_later]
    boundary = tuple(dict.fromkeys(n for n in read_later if n not in constants))
    host_inputs = [n for node in host for n in node.inputs if n and n not in constants]
    host_outputs = {o for node in host for o in node.outputs}
    first_outputs = dict.fromkeys(
        n for n in (*boundary, *needed, *host_inputs) if n in known and n not in host_outputs
    )
    rest = graph.replace(
        nodes=tuple(waiting),
        inputs=tuple(dict.fromkeys((*boundary, *(n for n in needed if n not in constants)))),
        specs={},
        constants=constants,
    )
    first = graph.replace(
        nodes=tuple(done),
        inputs=tuple(n for n in graph.inputs if n in known),
        outputs=tuple(first_outputs),
        specs=known,
        constants=constants,
    )
    return Specialised(first, Cut(tuple(host), tuple(dict.fromkeys(needed)), rest))

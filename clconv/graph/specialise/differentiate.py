"""Gradients by reverse-mode differentiation: nodes for the derivatives of what a graph computes.

The rule of each operator (Op.hooks.gradient) writes the nodes of one step back, so that every pass, variant and
reference serves them as well. Method: the adjoint sweep of Griewank and Walther, "Evaluating Derivatives" (2008),
chapter 3; for networks Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors" (1986).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence

import numpy as np

from clconv.errors import GraphError, Guard, UnsupportedError
from clconv.graph.evaluate import call_of, infer_node
from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import get_op, hooks_of, make_node
from clconv.graph.ops.base import Expansion
from clconv.graph.specialise.backward import Backward
from clconv.graph.specialise.recompute import Recomputation

Specs = MutableMapping[str, TensorSpec]
Constants = MutableMapping[str, Constant]


def differentiate(
    node: Node,
    forward: Sequence[Node],
    specs: Specs,
    constants: Constants,
    fresh: Callable[[str], str],
    outputs: Sequence[str] = (),
) -> list[Node]:
    """The nodes that a Gradient node stands for; what they need of constants is added to `constants`.

    forward: the nodes before it, in order, without epilogues, their specs known. outputs: the graph's. Raises UnsupportedError that lists all
    operators on the way that have no rule, GraphError where the result is not of floats.
    """
    return _Sweep(forward, specs, constants, fresh, outputs).run(node)


def differentiated(graph: Graph) -> list[str]:
    """What the graph asks gradients of."""
    return [
        name
        for node in graph.nodes
        if node.op == "Gradient"
        for name in node.inputs[node.attrs.results :]
    ]


def with_constants(graph: Graph, more: Mapping[str, Constant]) -> Graph:
    """The graph with further constants, which were values of unknown content so far."""
    return graph.replace(
        constants={**graph.constants, **more},
        specs={n: s for n, s in graph.specs.items() if n not in more},
        inputs=tuple(n for n in graph.inputs if n not in more),
    )


def refuse_gradients(waiting: Sequence[Node], why: Sequence[str]) -> None:
    """UnsupportedError for a Gradient among nodes that cannot be planned until values are known."""
    for node in waiting:
        if node.op == "Gradient":
            raise UnsupportedError(
                f"node '{node.name}' (Gradient): no gradient goes through values whose size or presence depends on "
                f"what the inputs hold ({', '.join(why)})"
            )


def nodes_between(
    nodes: Sequence[Node],
    sources: Collection[str],
    results: Collection[str],
    carries: Callable[[str], bool] = lambda name: True,
) -> list[Node]:
    """The nodes through which results depend on sources, in order. carries: whether a dependence goes on through a
    value."""
    varied, ahead = set(sources), []
    for node in nodes:
        if varied.intersection(node.inputs):
            ahead.append(node)
            varied.update(o for o in node.outputs if o and carries(o))
    wanted, way = set(results), []
    for node in reversed(ahead):
        if wanted.intersection(o for o in node.outputs if o):
            way.append(node)
            wanted.update(n for n in node.inputs if n in varied)
    return way[::-1]


def has_rule(node: Node) -> bool:
    """Whether the gradient of its operator is known, by itself or by what it is written with."""
    return hooks_of(node).gradient is not None or get_op(node.op).expand is not None


class _Sweep:
    def __init__(
        self,
        forward: Sequence[Node],
        specs: Specs,
        constants: Constants,
        fresh: Callable[[str], str],
        outputs: Sequence[str],
    ) -> None:
        self.forward, self.specs, self.constants, self.fresh = forward, specs, constants, fresh
        self._outputs = outputs
        self.written: list[Node] = []
        self._parts: dict[str, list[str]] = {}
        self._again: Recomputation | None = None

    def run(self, node: Node) -> list[Node]:
        count = node.attrs.results
        results, sources = node.inputs[:count], node.inputs[count:]
        for name in results:
            self._seed(node, name)
        way = nodes_between(self.forward, sources, results, lambda o: self.specs[o].dtype.is_float)
        _check_rules(node, way)
        varied = set(sources)
        for step in way:
            varied.update(o for o in step.outputs if o)
        kept = {*results, *sources, *self._outputs}
        self._again = Recomputation(
            way, self.forward, node.attrs.segments, kept, self.specs, self.fresh
        )
        for step in reversed(way):
            self._back(step, varied)
        for source, output in zip(sources, node.outputs, strict=True):
            if output:
                self._result(source, output)
        return self.written

    def _seed(self, node: Node, name: str) -> None:
        spec = self._spec(name)
        if not spec.dtype.is_float:
            raise GraphError(
                f"node '{node.name}' (Gradient): '{name}' is {spec}; only floats have a gradient"
            )
        ones = self.fresh(f"{name}.ones")
        self.constants[ones] = Constant(np.ones(spec.shape, spec.dtype.numpy))
        self._parts.setdefault(name, []).append(ones)

    def _spec(self, name: str) -> TensorSpec:
        constant = self.constants.get(name)
        return constant.spec if constant is not None else self.specs[name]

    def _back(self, node: Node, varied: set[str]) -> None:
        """Adds what a node's inputs get from it."""
        gradients = [self._gradient(o) if o else "" for o in node.outputs]
        wanted = [n in varied and self._spec(n).dtype.is_float for n in node.inputs]
        if not any(gradients) or not any(wanted):
            return
        rule = hooks_of(node).gradient
        if rule is None:
            self._back_through(expanded(node, self.specs, self.constants, self.fresh), varied)
            return
        seen = node
        if self._again is not None and node.name in self._again:
            for again in self._again.before(node):
                self._keep(again)
            seen = self._again.seen(node)
        back = Backward(seen, gradients, wanted, self.specs, self.constants, self._namer(node.name))
        with Guard("its gradient rule", node.name, node.op):
            found = rule(back)
        self._take(back)
        for name, gradient, asked in zip(node.inputs, found, wanted, strict=False):
            if name and gradient and asked:
                self._parts.setdefault(name, []).append(gradient)
                self._check(node, name, gradient)

    def _back_through(self, nodes: Sequence[Node], varied: set[str]) -> None:
        """Through the nodes that an operator is written with, which are computed anew."""
        for node in nodes:
            self._keep(node)
            if varied.intersection(node.inputs):
                varied.update(o for o in node.outputs if o)
        for node in reversed(nodes):
            self._back(node, varied)

    def _namer(self, label: str) -> Callable[[str], str]:
        return lambda hint: self.fresh(f"{label}/back/{hint}")

    def _keep(self, node: Node) -> None:
        self.written.append(node)
        found = infer_node(node, self.specs, self.constants)
        self.specs.update((n, s) for n, s in zip(node.outputs, found, strict=False) if n)

    def _take(self, back: Backward) -> None:
        self.constants.update(back.constants)
        self.written += back.nodes
        self.specs.update(back.own_specs)

    def _check(self, node: Node, name: str, gradient: str) -> None:
        have, want = self._spec(gradient), self._spec(name)
        if have.shape != want.shape or have.dtype is not want.dtype:
            raise GraphError(
                f"node '{node.name}' ({node.op}): its rule makes a gradient {have} for '{name}' {want}"
            )

    def _gradient(self, name: str) -> str:
        """The sum of what a value's readers give it; "" if none gave anything."""
        parts = self._parts.get(name, [])
        while len(parts) > 1:
            first, second, *others = parts
            total = self.fresh(f"{name}.gradient")
            self._keep(make_node("Add", (first, second), (total,), total))
            parts = self._parts[name] = [total, *others]
        return parts[0] if parts else ""

    def _result(self, source: str, output: str) -> None:
        gradient = self._gradient(source)
        if not gradient:
            spec = self._spec(source)
            gradient = self.fresh(f"{source}.zeros")
            self.constants[gradient] = Constant(np.zeros(spec.shape, spec.dtype.numpy))
        self._keep(make_node("Identity", (gradient,), (output,), output))


def expanded(
    node: Node, specs: Specs, constants: Constants, fresh: Callable[[str], str]
) -> list[Node]:
    """The nodes that an operator is written with."""
    expand = get_op(node.op).expand
    assert expand is not None, node.op
    call = call_of(node, specs, constants)
    expansion = Expansion(call, constants, lambda hint: fresh(f"{node.name}/{hint}"))
    if not expand(expansion):
        raise UnsupportedError(f"node '{node.name}' ({node.op}) has no gradient")
    constants.update(expansion.constants)
    return expansion.nodes


def _check_rules(node: Node, way: Sequence[Node]) -> None:
    missing = sorted({n.op for n in way if not has_rule(n)})
    if missing:
        places = ", ".join(f"'{n.name}'" for n in way if n.op in missing)
        raise UnsupportedError(
            f"node '{node.name}' (Gradient): no gradient is known of {', '.join(missing)} (nodes {places})"
        )

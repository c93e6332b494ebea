"""Splits a graph for a batch into runs of fewer images, where no image looks at another.

Axis 0 of a network's inputs is the batch. That images do not meet follows operator by operator (Hooks.images), and
nothing but the batch may change: a constant for each image leaves the graph whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.records import record


@record(frozen=True)
class BatchSplit:
    """A graph for `count` images that computes for each what the graph for `batch` of them does.

    inputs: those of which a run takes the part that belongs to its images; the others go to every run whole.
    """

    graph: Graph
    count: int
    batch: int
    inputs: frozenset[str]

    @property
    def specs(self) -> dict[str, TensorSpec]:
        """Of the graph's fed inputs."""
        return {name: self.graph.specs[name] for name in self.graph.fed}

    @property
    def begins(self) -> list[int]:
        """The first image of each run; the last takes some once more if the batch is no multiple of `count`."""
        return [min(i, self.batch - self.count) for i in range(0, self.batch, self.count)]

    def __str__(self) -> str:
        return f"{self.count} of {self.batch} images at a time"

    def run(
        self,
        run: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]],
        feeds: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """The outputs of the whole batch; run(feeds) gives those of `count` images. The last run takes some once
        more if the batch is no multiple of that."""
        whole: dict[str, np.ndarray] = {}
        for first in self.begins:
            at = slice(first, first + self.count)
            part = run({name: a[at] if name in self.inputs else a for name, a in feeds.items()})
            for name, array in part.items():
                if name not in whole:
                    whole[name] = np.empty((self.batch, *array.shape[1:]), array.dtype)
                whole[name][at] = array
        return whole

    def whole(self, specs: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
        """Specs of values of the images for the whole batch."""
        return {
            name: dataclasses.replace(spec, shape=(self.batch, *spec.shape[1:]))
            for name, spec in specs.items()
        }


def batch_of(graph: Graph) -> int:
    """How many images a graph of known specs takes: axis 0 of its first fed input of rank 2 or more; 1 without any."""
    shapes = (graph.specs[name].shape for name in graph.fed)
    return next((int(shape[0]) for shape in shapes if len(shape) > 1), 1)


def split_batch(graph: Graph, count: int) -> BatchSplit | None:
    """The graph for `count` images at a time; None if it is not certain that the images do not meet, as they do in the
    new values of state.

    graph: with the specs of all its values.
    """
    from clconv.graph.ops.base import hooks_of  # only now: a plan from the disk is split already

    batch = batch_of(graph)
    inputs = frozenset(n for n in graph.fed if graph.specs[n].shape[:1] == (batch,))
    of_images = None
    if 0 < count < batch and not graph.updates:
        of_images = _values_of_images(graph, inputs)
    if of_images is None:
        return None
    constants = dict(graph.constants)
    nodes = []
    for node in graph.nodes:
        shape_at = hooks_of(node).shape_input
        if shape_at is not None and node.outputs[0] in of_images and _names_batch(node, shape_at):
            _, *others = graph.spec(node.outputs[0]).shape
            shape = f"{node.name}/shape of {count}"
            constants[shape] = Constant(np.array((count, *others), np.int64))
            before, behind = node.inputs[:shape_at], node.inputs[shape_at + 1 :]
            node = dataclasses.replace(node, inputs=(*before, shape, *behind))
        nodes.append(node)
    specs = {name: graph.specs[name] for name in graph.inputs}
    for name in inputs:
        specs[name] = dataclasses.replace(specs[name], shape=(count, *specs[name].shape[1:]))
    fewer = graph.replace(nodes=tuple(nodes), specs=specs, constants=constants)
    return BatchSplit(fewer, count, batch, inputs)


def _names_batch(node: Node, shape_at: int) -> bool:
    """Whether the input that names a shape is there and begins with the batch: Resize may name some axes only."""
    there = shape_at < len(node.op_inputs) and bool(node.inputs[shape_at])
    return there and not (node.op == "Resize" and node.attrs.axes)


def _values_of_images(graph: Graph, inputs: frozenset[str]) -> set[str] | None:
    """The values of the images; None if one of them is mixed, or an output is not among them."""
    from clconv.graph.ops.base import hooks_of
    from clconv.graph.rules.images import Use, aligned

    found = set(inputs)
    for node in graph.nodes:
        if not any(name in found for name in node.inputs):
            continue
        use = Use(node, graph, tuple(name in found for name in node.op_inputs))
        rule = hooks_of(node).images
        if rule is None or not any(use.of_images) or not rule(use):
            return None
        added = [name for name in node.inputs[len(node.op_inputs) :] if name]
        if not all(aligned(graph.spec(n), n in found, use.result.rank) for n in added):
            return None
        found.update(name for name in node.outputs if name)
    return found if all(name in found for name in graph.outputs) else None

"""Takes a graph for a batch apart into runs of fewer images, where no image looks at another.

Axis 0 of a network's inputs is the batch. A value is *of the images* if its axis 0 is the batch and what it holds
for an image follows from that image alone. The rules below say, operator by operator, when inputs of the images
give outputs of the images; an operator without a rule mixes them. Numbers that hold for the whole batch (statistics,
indices into all of it) fit no rule, so that a graph is taken apart only if nothing changes but the batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops.elementwise import ROWS
from clconv.graph.ops.reduce import REDUCTIONS


@dataclasses.dataclass(frozen=True)
class _Use:
    """A node with the specs of its values, and which of its operator's inputs are of the images."""

    node: Node
    graph: Graph
    of_images: tuple[bool, ...]

    def spec(self, index: int) -> TensorSpec:
        return self.graph.spec(self.node.inputs[index])

    @property
    def result(self) -> TensorSpec:
        return self.graph.spec(self.node.outputs[0])

    def has(self, index: int) -> bool:
        return index < len(self.node.op_inputs) and bool(self.node.inputs[index])

    def ints(self, index: int) -> tuple[int, ...] | None:
        """The value of an input that is a constant."""
        constant = self.graph.constants.get(self.node.inputs[index])
        return None if constant is None else tuple(int(v) for v in constant.array.reshape(-1))

    @property
    def only_first(self) -> bool:
        return self.of_images[0] and not any(self.of_images[1:])


Rule = Callable[[_Use], bool]


def _first(use: _Use) -> bool:
    """What works on each image of its first input; the other inputs hold for all."""
    return use.only_first


def _batch_norm(use: _Use) -> bool:
    return use.only_first and not use.node.attrs.training_mode


def _one_result(use: _Use) -> bool:
    """MaxPool: its indices would count from the first image."""
    return use.only_first and not any(use.node.outputs[1:])


def _elementwise(use: _Use) -> bool:
    return all(
        _aligned(use.spec(i), use.of_images[i], use.result.rank)
        for i in range(len(use.node.op_inputs))
        if use.has(i)
    )


def _aligned(spec: TensorSpec, of_images: bool, rank: int) -> bool:
    """Whether broadcasting to that rank lays the input's images on the result's, or the same on each of them."""
    if of_images:
        return spec.rank == rank
    return spec.rank < rank or spec.shape[0] == 1


def _axis(attribute: str) -> Rule:
    """What works along one axis, or from it to the last: not along the batch."""

    def rule(use: _Use) -> bool:
        return use.only_first and use.node.attrs[attribute] % use.spec(0).rank > 0

    return rule


def _axes(index: int) -> Rule:
    """What works along the axes that an input names: not along the batch, which no axes or unknown ones include."""

    def rule(use: _Use) -> bool:
        axes = use.ints(index) if use.has(index) else None
        rank = max(use.spec(0).rank, use.result.rank)
        return use.only_first and bool(axes) and all(a % rank for a in axes or ())

    return rule


def _reduce(use: _Use) -> bool:
    if use.has(1) and use.ints(1) == () and use.node.attrs.noop_with_empty_axes:
        return use.only_first
    return use.has(1) and _along_others(use, use.ints(1))


def _along_others(use: _Use, axes: tuple[int, ...] | None) -> bool:
    return use.only_first and bool(axes) and all(a % use.spec(0).rank for a in axes or ())


def _slice(use: _Use) -> bool:
    axes = use.ints(3) if use.has(3) else tuple(range(len(use.ints(1) or ())))
    return _along_others(use, axes)


def _pad(use: _Use) -> bool:
    pads, rank = use.ints(1), use.spec(0).rank
    if use.has(3):
        return _along_others(use, use.ints(3))
    return use.only_first and pads is not None and pads[0] == pads[rank] == 0


def _tile(use: _Use) -> bool:
    repeats = use.ints(1)
    return use.only_first and bool(repeats) and repeats is not None and repeats[0] == 1


def _concat(use: _Use) -> bool:
    return all(use.of_images) and use.node.attrs.axis % use.result.rank > 0


def _transpose(use: _Use) -> bool:
    return bool(use.node.attrs.perm) and use.node.attrs.perm[0] == 0


def _same_batch(use: _Use) -> bool:
    """Reshape, Expand: an image's elements lie side by side before and after, if the batch stays in front."""
    data, result = use.spec(0), use.result
    return (
        use.only_first and result.rank > 0 and result.size > 0 and data.shape[0] == result.shape[0]
    )


def _expand(use: _Use) -> bool:
    return _same_batch(use) and use.spec(0).rank == use.result.rank


def _resize(use: _Use) -> bool:
    """With or without a size for the batch, which must not decide how the others are stretched."""
    attrs, named = use.node.attrs, use.node.attrs.axes
    if named:
        return _along_others(use, named)
    plain = attrs.coordinate_transformation_mode != "tf_crop_and_resize"
    return plain and attrs.keep_aspect_ratio_policy == "stretch" and _same_batch(use)


def _flatten(use: _Use) -> bool:
    return use.only_first and use.node.attrs.axis % use.spec(0).rank == 1


def _gemm(use: _Use) -> bool:
    added = not use.has(2) or _aligned(use.spec(2), False, 2)
    return use.only_first and not use.node.attrs.transA and added


def _matmul(use: _Use) -> bool:
    left, right = use.spec(0), use.spec(1)
    rank = use.result.rank
    if left.rank < 2 or right.rank < 2:
        return False
    if rank == 2:
        return use.only_first  # the images are the rows
    return _aligned(left, use.of_images[0], rank) and _aligned(right, use.of_images[1], rank)


def _quantise(use: _Use) -> bool:
    scale, data = use.spec(1), use.spec(0)
    by_axis = scale.size == 1 or (scale.rank == 1 and use.node.attrs.axis % data.rank > 0)
    return use.only_first and by_axis and not use.node.attrs.block_size


def _mean_variance(use: _Use) -> bool:
    return _along_others(use, use.node.attrs.axes)


RULES: dict[str, Rule] = {
    **dict.fromkeys(ROWS, _elementwise),
    **dict.fromkeys(REDUCTIONS, _reduce),
    **dict.fromkeys(
        (
            "Conv", "ConvInteger", "QLinearConv", "ConvTranspose", "AveragePool", "LpPool", "GlobalAveragePool",
            "GlobalMaxPool", "GlobalLpPool", "InstanceNormalization", "GroupNormalization",
            "LRN", "Cast", "Identity", "DepthToSpace", "SpaceToDepth",
        ),
        _first,
    ),
    **dict.fromkeys(
        (
            "Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "LayerNormalization", "RMSNormalization", "Split",
            "Gather", "ArgMax", "ArgMin", "TopK",
        ),
        _axis("axis"),
    ),
    "BatchNormalization": _batch_norm,
    "MaxPool": _one_result,
    "Concat": _concat,
    "Transpose": _transpose,
    "Flatten": _flatten,
    "Reshape": _same_batch,
    "Expand": _expand,
    "Resize": _resize,
    "Squeeze": _axes(1),
    "Unsqueeze": _axes(1),
    "Slice": _slice,
    "Pad": _pad,
    "Tile": _tile,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "QuantizeLinear": _quantise,
    "DequantizeLinear": _quantise,
    "MeanVarianceNormalization": _mean_variance,
}  # fmt: skip

# Which input of an operator names the result's shape.
_SHAPES = {"Reshape": 1, "Expand": 1, "Resize": 3}


@dataclasses.dataclass(frozen=True)
class Apart:
    """A graph for `count` images that computes for each what the graph for `batch` of them does.

    inputs: those of which a run takes the part that belongs to its images; the others go to every run whole.
    """

    graph: Graph
    count: int
    batch: int
    inputs: frozenset[str]

    @property
    def specs(self) -> dict[str, TensorSpec]:
        """Of the graph's inputs."""
        return {name: self.graph.specs[name] for name in self.graph.inputs}

    def run(
        self,
        run: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]],
        feeds: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """The outputs of the whole batch; run(feeds) gives those of `count` images. The last run takes some once
        more if the batch is no multiple of that."""
        whole: dict[str, np.ndarray] = {}
        for begin in range(0, self.batch, self.count):
            first = min(begin, self.batch - self.count)
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
    """How many images a graph of known specs takes: axis 0 of its first input of rank 2 or more; 1 without any."""
    shapes = (graph.specs[name].shape for name in graph.inputs)
    return next((int(shape[0]) for shape in shapes if len(shape) > 1), 1)


def take_apart(graph: Graph, count: int) -> Apart | None:
    """The graph for `count` images at a time; None if it is not certain that the images do not meet.

    graph: with the specs of all its values.
    """
    batch = batch_of(graph)
    inputs = frozenset(n for n in graph.inputs if graph.specs[n].shape[:1] == (batch,))
    of_images = _values_of_images(graph, inputs) if 0 < count < batch else None
    if of_images is None:
        return None
    constants = dict(graph.constants)
    nodes = []
    for node in graph.nodes:
        shape_at = _SHAPES.get(node.op)
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
    return Apart(fewer, count, batch, inputs)


def _names_batch(node: Node, shape_at: int) -> bool:
    """Whether the input that names a shape is there and begins with the batch: Resize may name some axes only."""
    there = shape_at < len(node.op_inputs) and bool(node.inputs[shape_at])
    return there and not (node.op == "Resize" and node.attrs.axes)


def _values_of_images(graph: Graph, inputs: frozenset[str]) -> set[str] | None:
    """The values of the images; None if one of them is mixed, or an output is not among them."""
    found = set(inputs)
    for node in graph.nodes:
        if not any(name in found for name in node.inputs):
            continue
        use = _Use(node, graph, tuple(name in found for name in node.op_inputs))
        rule = RULES.get(node.op)
        if rule is None or not any(use.of_images) or not rule(use):
            return None
        added = [name for name in node.inputs[len(node.op_inputs) :] if name]
        if not all(_aligned(graph.spec(n), n in found, use.result.rank) for n in added):
            return None
        found.update(name for name in node.outputs if name)
    return found if all(name in found for name in graph.outputs) else None

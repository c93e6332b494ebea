"""When an operator treats images independently: its outputs are *of the images* if its inputs are.

A value is *of the images* if its axis 0 is the batch and its content for an image depends on that image only. An
operator without a rule mixes them. Values that depend on the whole batch (statistics, indices into all of it) satisfy
no rule.
"""

from __future__ import annotations

from collections.abc import Callable

from clconv.graph.ir import DType, Graph, Node, TensorSpec
from clconv.records import record


@record(frozen=True)
class Use:
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


ImageRule = Callable[[Use], bool]


def first(use: Use) -> bool:
    """What works on each image of its first input; the other inputs hold for all."""
    return use.only_first


def only(*indices: int) -> ImageRule:
    """What works on each image of these inputs, as far as it has them; the others hold for all."""

    def rule(use: Use) -> bool:
        return all(found == (i in indices) for i, found in enumerate(use.of_images))

    return rule


def batch_norm(use: Use) -> bool:
    return use.only_first and not use.node.attrs.training_mode


def one_result(use: Use) -> bool:
    """MaxPool: its indices would count from the first image."""
    return use.only_first and not any(use.node.outputs[1:])


def together(use: Use) -> bool:
    """What works on each image of all its inputs."""
    return all(use.of_images)


def max_pool_gradient(use: Use) -> bool:
    """Taps count within a window; indices would count from the first image."""
    return together(use) and use.spec(1).dtype is DType.UINT8


def elementwise(use: Use) -> bool:
    return all(
        aligned(use.spec(i), use.of_images[i], use.result.rank)
        for i in range(len(use.node.op_inputs))
        if use.has(i)
    )


def aligned(spec: TensorSpec, of_images: bool, rank: int) -> bool:
    """Whether broadcasting to that rank lays the input's images on the result's, or the same on each of them."""
    if of_images:
        return spec.rank == rank
    return spec.rank < rank or spec.shape[0] == 1


def along(attribute: str) -> ImageRule:
    """What works along one axis, or from it to the last: not along the batch."""

    def rule(use: Use) -> bool:
        return use.only_first and use.node.attrs[attribute] % use.spec(0).rank > 0

    return rule


def _along_others(use: Use, axes: tuple[int, ...] | None) -> bool:
    """What works along these axes: not along the batch, which none or unknown ones include. Unsqueeze counts in
    the result, which has the larger rank there."""
    rank = max(use.spec(0).rank, use.result.rank)
    return use.only_first and bool(axes) and all(a % rank for a in axes or ())


def named_axes(use: Use) -> bool:
    return use.has(1) and _along_others(use, use.ints(1))


def reduce(use: Use) -> bool:
    if use.has(1) and use.ints(1) == () and use.node.attrs.noop_with_empty_axes:
        return use.only_first
    return named_axes(use)


def sliced(use: Use) -> bool:
    axes = use.ints(3) if use.has(3) else tuple(range(len(use.ints(1) or ())))
    return _along_others(use, axes)


def pad(use: Use) -> bool:
    pads, rank = use.ints(1), use.spec(0).rank
    if use.has(3):
        return _along_others(use, use.ints(3))
    return use.only_first and pads is not None and pads[0] == pads[rank] == 0


def tile(use: Use) -> bool:
    repeats = use.ints(1)
    return use.only_first and bool(repeats) and repeats is not None and repeats[0] == 1


def concat(use: Use) -> bool:
    return all(use.of_images) and use.node.attrs.axis % use.result.rank > 0


def transpose(use: Use) -> bool:
    return bool(use.node.attrs.perm) and use.node.attrs.perm[0] == 0


def same_batch(use: Use) -> bool:
    """Reshape, Expand: an image's elements lie side by side before and after, if the batch stays in front."""
    data, result = use.spec(0), use.result
    return (
        use.only_first and result.rank > 0 and result.size > 0 and data.shape[0] == result.shape[0]
    )


def expand(use: Use) -> bool:
    return same_batch(use) and use.spec(0).rank == use.result.rank


def resize(use: Use) -> bool:
    """With or without a size for the batch, which must not decide how the others are stretched."""
    attrs, named = use.node.attrs, use.node.attrs.axes
    if named:
        return _along_others(use, named)
    plain = attrs.coordinate_transformation_mode != "tf_crop_and_resize"
    return plain and attrs.keep_aspect_ratio_policy == "stretch" and same_batch(use)


def resize_gradient(use: Use) -> bool:
    return use.only_first and use.node.attrs.size[0] == -1


def flatten(use: Use) -> bool:
    return use.only_first and use.node.attrs.axis % use.spec(0).rank == 1


def gemm(use: Use) -> bool:
    added = not use.has(2) or aligned(use.spec(2), False, 2)
    return use.only_first and not use.node.attrs.transA and added


def matmul(use: Use) -> bool:
    left, right = use.spec(0), use.spec(1)
    rank = use.result.rank
    if left.rank < 2 or right.rank < 2:
        return False
    if rank == 2:
        return use.only_first  # the images are the rows
    return aligned(left, use.of_images[0], rank) and aligned(right, use.of_images[1], rank)


def quantise(use: Use) -> bool:
    scale, data = use.spec(1), use.spec(0)
    by_axis = scale.size == 1 or (scale.rank == 1 and use.node.attrs.axis % data.rank > 0)
    return use.only_first and by_axis and not use.node.attrs.block_size


def mean_variance(use: Use) -> bool:
    return _along_others(use, use.node.attrs.axes)

"""What the folding passes share: a convolution or Gemm as weights and bias to be rewritten."""

from __future__ import annotations

import dataclasses

import numpy as np

from clconv.graph.ir import Constant, Node
from clconv.graph.passes.editor import Editor, inherit
from clconv.records import record

LINEAR_OPS = ("Conv", "ConvTranspose", "Gemm")


@record(frozen=True)
class Linear:
    """A node y = W x + b with constant W and b.

    weights: the constant as it is stored; bias: float64, one value a channel of the output.
    """

    node: Node
    position: int
    weights: Constant
    bias: np.ndarray

    @property
    def dtype(self) -> np.dtype:
        return self.weights.spec.dtype.numpy

    @property
    def channels(self) -> int:
        return self.bias.size

    @property
    def rank(self) -> int:
        """Rank of the output; channels are axis 1."""
        return self.weights.spec.rank


def linear_behind(editor: Editor, name: str) -> Linear | None:
    """The linear node that makes a value with one reader; None if nothing can be folded in.

    A node with an epilogue has its activation before what follows: nothing folds through it.
    """
    found = editor.maker(name)
    if found is None or not editor.is_private(name):
        return None
    position, node = found
    if node.op not in LINEAR_OPS or node.epilogue:
        return None
    weights = editor.constants.get(node.inputs[1])
    if weights is None or not weights.spec.dtype.is_float or weights.spec.rank < 2:
        return None
    if weights.spec.shape[0] % max(node.attrs.get("group", 1), 1):
        return None  # the shape rule says what is wrong
    channels = _channels(node, weights.spec.shape)
    bias = np.zeros(channels)
    if len(node.inputs) > 2 and node.inputs[2]:
        given = editor.array(node.inputs[2])
        # Gemm's bias may differ by row; then it is no bias of the channels.
        if given is None or (given.size != 1 and given.shape[-1] != given.size):
            return None
        if given.size not in (1, channels):
            return None  # the shape rule says what is wrong
        bias = bias + given.astype(np.float64).reshape(-1)
    if node.op == "Gemm":
        bias = bias * node.attrs.beta
    return Linear(node, position, weights, bias)


def _channels(node: Node, weights: tuple[int, ...]) -> int:
    if node.op == "ConvTranspose":
        return int(weights[1] * node.attrs.group)
    if node.op == "Gemm":
        return int(weights[0 if node.attrs.transB else 1])
    return int(weights[0])


def rescale(
    editor: Editor,
    linear: Linear,
    follower: int,
    scale: np.ndarray | None,
    shift: np.ndarray | None,
) -> bool:
    """Puts scale * y + shift in place of the follower, a node that reads only y and constants.

    scale, shift: float64 scalars or one value a channel; None is 1 or 0. Returns False, and changes
    nothing, if a rewritten weight would not be finite in the weights' dtype.
    """
    node, after = linear.node, editor.nodes[follower]
    assert after is not None
    weights = None
    with np.errstate(all="ignore"):
        bias = linear.bias if scale is None else linear.bias * scale
        bias = (bias if shift is None else bias + shift).astype(linear.dtype)
        if scale is not None:
            factors = np.broadcast_to(scale, (linear.channels,))
            if not _stays_finite(linear, factors):
                return False
            weights = _scaled(linear, factors)
    if not np.isfinite(bias).all():
        return False
    inputs = [*node.inputs[:3], ""][:3]
    if weights is not None:
        inputs[1] = editor.constant(f"{node.inputs[1]}/scaled", weights)
    attrs = node.attrs
    if node.op == "Gemm":
        attrs = attrs.replace(alpha=attrs.alpha if weights is None else 1.0, beta=1.0)
    inputs[2] = editor.constant(f"{after.outputs[0]}/bias", bias)
    merged = dataclasses.replace(node, inputs=tuple(inputs), attrs=attrs, op_arity=None)
    editor.merge(linear.position, follower, inherit(merged, after))
    return True


def _stays_finite(linear: Linear, scale: np.ndarray) -> bool:
    """Whether no weight times its factor can leave the weights' dtype."""
    stored = linear.weights.array
    alpha = linear.node.attrs.alpha if linear.node.op == "Gemm" else 1.0
    bounds = [abs(float(x)) for x in (stored.min(), stored.max())] if stored.size else [0.0]
    return bool(max(bounds) * np.abs(scale * alpha).max() <= np.finfo(stored.dtype).max)


def _scaled(linear: Linear, scale: np.ndarray) -> Constant:
    """The weights times one factor a channel: computed when read, so that no second copy is held."""
    node, source = linear.node, linear.weights
    factors = scale * node.attrs.alpha if node.op == "Gemm" else scale
    factors = factors.astype(source.spec.dtype.numpy)

    def compute() -> np.ndarray:
        return _times(node, source.array, factors)

    return Constant.reread(source.spec, compute)


def _times(node: Node, stored: np.ndarray, scale: np.ndarray) -> np.ndarray:
    tail = [1] * (stored.ndim - 2)
    if node.op == "Gemm":
        return stored * (scale[:, None] if node.attrs.transB else scale)
    if node.op == "Conv":
        return stored * scale.reshape(-1, 1, *tail)
    split = stored.reshape(node.attrs.group, -1, *stored.shape[1:])
    return (split * scale.reshape(node.attrs.group, 1, -1, *tail)).reshape(stored.shape)

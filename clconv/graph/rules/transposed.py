"""How each operator reads a transposed input: rules for push_transposes.

A rule is given a node of which some inputs are y = Transpose(x, perm), so that axis i of y is axis perm[i]
of x, and says how the node works on x instead: with other axes, pads and constants, and its results
transposed in turn. Or None if it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Constant, Node, TensorSpec
from clconv.records import record

Perm = tuple[int, ...]


@record(frozen=True)
class NodeInput:
    """An input: what is known of it, its value if constant; source and perm if it is a transpose."""

    name: str
    known: TensorSpec | None
    constant: Constant | None
    source: str
    perm: Perm | None
    in_place: bool  # the transpose moves no element

    @property
    def ints(self) -> tuple[int, ...] | None:
        """The values of a constant integer tensor."""
        if self.constant is None or self.constant.spec.dtype.numpy.kind not in "iu":
            return None
        return tuple(int(v) for v in self.constant.array.reshape(-1))


@record(frozen=True)
class Permuted:
    """The node on the source. inputs: names, new constants, or (name, perm) to transpose first; perms: how
    each output of the old node is transposed from the new one's, None if it is the same."""

    inputs: tuple[str | np.ndarray | tuple[str, Perm], ...]
    attrs: Mapping[str, Any]
    perms: tuple[Perm | None, ...]
    op: str = ""


def inverse(perm: Sequence[int]) -> Perm:
    """The permutation that undoes this one."""
    return tuple(int(i) for i in np.argsort(perm))


TransposeRule = Callable[[Node, Sequence[NodeInput]], Permuted | None]


def pointwise(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    """Operators on elements that broadcast: constants turn back, as do images of one pixel."""
    perm = _main_perm(operands)
    if perm is None:
        return None
    inputs: list[str | np.ndarray | tuple[str, Perm]] = []
    for operand in operands:
        given = _aligned(operand, perm)
        if given is None:
            return None
        inputs.append(given)
    return Permuted(tuple(inputs), node.attrs, (perm,) * len(node.outputs))


def dropout(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    """Not in training, where what is dropped follows from an element's place, for the gradient as well."""
    return None if any(node.op_inputs[2:]) else pointwise(node, operands)


def _main_perm(operands: Sequence[NodeInput]) -> Perm | None:
    """The permutation of the largest transposed operand, if no operand has more axes."""
    perms = [o for o in operands if o.perm is not None]
    moving = [o for o in perms if not o.in_place] or perms
    perm = moving[0].perm
    if perm is None or any(o.name and o.known is None for o in operands):
        return None
    return perm if all(o.known is None or o.known.rank <= len(perm) for o in operands) else None


def _aligned(operand: NodeInput, perm: Perm) -> str | np.ndarray | tuple[str, Perm] | None:
    """The operand as it broadcasts to the source; None if turning it would cost too much."""
    if not operand.name or operand.perm == perm:
        return operand.source
    known = operand.known
    if known is None:
        return None
    if all(d == 1 for d in known.shape):
        return operand.name if operand.perm is None else operand.source
    if operand.constant is not None:
        full = (1,) * (len(perm) - known.rank) + known.shape
        return operand.constant.array.reshape(full).transpose(inverse(perm))
    if known.rank == len(perm) and sum(d != 1 for d in known.shape[1:]) <= 1:
        return operand.name, inverse(perm)
    return None


def _data_only(operands: Sequence[NodeInput]) -> Perm | None:
    """The permutation of input 0, if it is the only transposed input."""
    first, *others = operands
    return first.perm if all(o.perm is None for o in others) else None


def _names(operands: Sequence[NodeInput]) -> list[str | np.ndarray | tuple[str, Perm]]:
    return [operands[0].source, *(o.name for o in operands[1:])]


def _mapped(axes: Sequence[int], perm: Perm) -> tuple[int, ...] | None:
    """Axes of y as axes of x."""
    rank = len(perm)
    if any(not -rank <= a < rank for a in axes):
        return None
    return tuple(perm[a % rank] for a in axes)


def along_axis(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    """One data input, one axis in the attributes, results of the input's rank."""
    perm = _data_only(operands)
    axes = None if perm is None else _mapped([node.attrs.axis], perm)
    if perm is None or axes is None:
        return None
    attrs = node.attrs.replace(axis=axes[0])
    return Permuted(tuple(_names(operands)), attrs, (perm,) * len(node.outputs))


def concat(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    perm = _main_perm(operands)
    axes = None if perm is None else _mapped([node.attrs.axis], perm)
    if perm is None or axes is None:
        return None
    inputs: list[str | np.ndarray | tuple[str, Perm]] = []
    for operand in operands:
        if operand.perm == perm:
            inputs.append(operand.source)
        elif operand.constant is not None and operand.constant.spec.rank == len(perm):
            inputs.append(operand.constant.array.transpose(inverse(perm)))
        else:
            return None
    return Permuted(tuple(inputs), node.attrs.replace(axis=axes[0]), (perm,))


def axes_input(place: int) -> TransposeRule:
    """Operators with an input of axes, every axis in order if it is absent: Pad and Slice."""

    def rule(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
        perm = _data_only(operands)
        if perm is None:
            return None
        if len(operands) > place and operands[place].name:
            given = operands[place].ints
        else:
            count = operands[1].known
            given = None
            if count is not None and count.rank == 1 and isinstance(count.shape[0], int):
                given = tuple(range(count.shape[0] // (2 if node.op == "Pad" else 1)))
        axes = None if given is None else _mapped(given, perm)
        if axes is None:
            return None
        inputs = _names(operands)
        inputs += [""] * (place + 1 - len(inputs))
        inputs[place] = np.array(axes, np.int64)
        return Permuted(tuple(inputs), node.attrs, (perm,))

    return rule


def reduce(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    perm = _data_only(operands)
    if perm is None:
        return None
    given: tuple[int, ...] | None = ()
    if len(operands) > 1 and operands[1].name:
        given = operands[1].ints
    if given is None or (not given and node.attrs.noop_with_empty_axes):
        return None
    axes = _mapped(given or range(len(perm)), perm)
    if axes is None:
        return None
    result = perm if node.attrs.keepdims else _without(perm, axes)
    inputs = (operands[0].source, np.array(sorted(axes), np.int64))
    return Permuted(inputs, node.attrs, (_real(result),))


def arg_extreme(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    perm = operands[0].perm
    axes = None if perm is None else _mapped([node.attrs.axis], perm)
    if perm is None or axes is None:
        return None
    result = perm if node.attrs.keepdims else _without(perm, axes)
    attrs = node.attrs.replace(axis=axes[0])
    return Permuted((operands[0].source,), attrs, (_real(result),))


def squeeze(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    perm = _data_only(operands)
    given = operands[1].ints if len(operands) > 1 else None
    axes = None if perm is None or given is None else _mapped(given, perm)
    if perm is None or axes is None:
        return None
    inputs = (operands[0].source, np.array(sorted(axes), np.int64))
    return Permuted(inputs, node.attrs, (_real(_without(perm, axes)),))


def _without(perm: Perm, axes: Sequence[int]) -> Perm:
    """The permutation of what is left when the source loses these axes."""
    left = [p for p in perm if p not in axes]
    ranks = {p: i for i, p in enumerate(sorted(left))}
    return tuple(ranks[p] for p in left)


def _real(perm: Perm) -> Perm | None:
    return None if perm == tuple(range(len(perm))) else perm


def global_pool(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    """As a reduction over the axes that are height and width in the source."""
    perm = operands[0].perm
    if perm is None:
        return None
    op = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}[node.op]
    axes = np.array(sorted(perm[2:]), np.int64)
    return Permuted((operands[0].source, axes), {"keepdims": 1}, (perm,), op)


def reshape(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    """The source's elements in their order, where the transpose moved none."""
    perm = _data_only(operands)
    shape = operands[1].ints
    if perm is None or shape is None or not operands[0].in_place:
        return None
    if not node.attrs.allowzero and any(
        d == 0 and (i >= len(perm) or perm[i] != i) for i, d in enumerate(shape)
    ):
        return None  # a zero copies a size that stands elsewhere
    return Permuted(tuple(_names(operands)), node.attrs, (None,))


def flatten(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    first = operands[0]
    if first.perm is None or not first.in_place or node.attrs.axis != 1 or first.perm[0] != 0:
        return None
    return Permuted((first.source,), node.attrs, (None,))


def quantise(node: Node, operands: Sequence[NodeInput]) -> Permuted | None:
    """With one scale for all, or one for each channel of an axis."""
    known = operands[1].known
    perm = _data_only(operands)
    if perm is None or known is None:
        return None
    if known.rank == 0:
        return Permuted(tuple(_names(operands)), node.attrs, (perm,))
    blocks = node.attrs.get("block_size", 0)
    return along_axis(node, operands) if known.rank == 1 and not blocks else None

"""Sequences of tensors while a graph is specialised: which values one holds is known, so they need no kernels.

An operator on a sequence becomes operators on the tensors in it: SequenceAt an Identity, SplitToSequence a
Split, ConcatFromSequence a Concat. Positions that only exist at run time cut the graph, as shapes do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from clconv.errors import GraphError, NeedsValue, ShapeError, UnsupportedError
from clconv.graph.ir import Constant, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.specialise.inline import SEQUENCE_LIMIT

Sequences = dict[str, tuple[str, ...]]  # name of a sequence -> names of the tensors in it


class SequenceWriter:
    """Follows the sequences of one graph; `write` gives the nodes that stand for a sequence operator."""

    def __init__(
        self,
        known: Mapping[str, TensorSpec],
        constants: dict[str, Constant],
        fresh: Callable[[str], str],
    ) -> None:
        self.sequences: Sequences = {}
        self._known, self._constants, self._fresh = known, constants, fresh

    def concerns(self, node: Node) -> bool:
        """Whether the node makes a sequence or reads one as such, which only its tensors can say."""
        if node.op == "Identity":
            return node.inputs[0] in self.sequences
        return node.op in _WRITERS

    def write(self, node: Node) -> list[Node]:
        """The nodes on tensors that do what the node does. Raises NeedsValue, ShapeError or GraphError."""
        if node.op == "Identity":
            self.sequences[node.outputs[0]] = self.sequences[node.inputs[0]]
            return []
        return _WRITERS[node.op](self, node)

    def remade(self, nodes: list[Node], outputs: tuple[str, ...]) -> list[Node]:
        """Nodes that make the sequences again which the given nodes read, for the graph behind a cut."""
        read = {n for node in nodes for n in node.inputs} | set(outputs)
        return [
            make_node("SequenceConstruct", elements, (name,), self._fresh(name))
            for name, elements in self.sequences.items()
            if name in read
        ]

    def _elements(self, node: Node, index: int = 0) -> tuple[str, ...]:
        name = node.inputs[index]
        if name not in self.sequences:
            raise GraphError(f"node '{node.name}' ({node.op}): '{name}' is no sequence")
        return self.sequences[name]

    def _position(self, node: Node, index: int, length: int, default: int) -> int:
        """A known, possibly negative position in 0..length-1."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        position = default
        if name:
            constant = self._constants.get(name)
            if constant is None:
                raise NeedsValue(node.name, index, name)
            position = _one_integer(node, constant)
        if not -length <= position < length:
            raise ShapeError(
                f"node '{node.name}' ({node.op}): position {position} is outside -{length}..{length - 1}"
            )
        return position % length

    def _expect_tensor(self, node: Node, name: str) -> None:
        if name in self.sequences:
            raise GraphError(
                f"node '{node.name}' ({node.op}): '{name}' is a sequence, a sequence holds tensors"
            )

    def construct(self, node: Node) -> list[Node]:
        for name in node.inputs:
            self._expect_tensor(node, name)
        self.sequences[node.outputs[0]] = tuple(n for n in node.inputs if n)
        return []

    def insert(self, node: Node) -> list[Node]:
        elements, new = self._elements(node), node.inputs[1]
        self._expect_tensor(node, new)
        place = self._position(node, 2, len(elements) + 1, len(elements))
        given = self._constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        if given is not None and _one_integer(node, given) < 0:
            place -= 1  # -1 is before the last part, not behind it
        self.sequences[node.outputs[0]] = (*elements[:place], new, *elements[place:])
        return []

    def erase(self, node: Node) -> list[Node]:
        elements = self._elements(node)
        place = self._position(node, 1, len(elements), len(elements) - 1)
        self.sequences[node.outputs[0]] = (*elements[:place], *elements[place + 1 :])
        return []

    def at(self, node: Node) -> list[Node]:
        elements = self._elements(node)
        chosen = elements[self._position(node, 1, len(elements), 0)]
        return [make_node("Identity", (chosen,), node.outputs, node.name)]

    def length(self, node: Node) -> list[Node]:
        self._constants[node.outputs[0]] = Constant(np.array(len(self._elements(node)), np.int64))
        return []

    def concat(self, node: Node) -> list[Node]:
        elements, axis = list(self._elements(node)), node.attrs.axis
        if not elements:
            raise ShapeError(f"node '{node.name}' ({node.op}): the sequence is empty")
        nodes = []
        if node.attrs.new_axis:
            axes = self._constant(np.array([axis], np.int64))
            raised = [self._fresh(f"{node.name}/part") for _ in elements]
            nodes = [
                make_node("Unsqueeze", (p, axes), (r,), self._fresh(f"{node.name}/unsqueeze"))
                for p, r in zip(elements, raised, strict=True)
            ]
            elements = raised
        return [*nodes, make_node("Concat", elements, node.outputs, node.name, axis=axis)]

    def split(self, node: Node) -> list[Node]:
        """In parts of the given sizes, or of one size with a smaller last one, or of size 1."""
        name, at = node.inputs[0], node.attrs
        self._expect_tensor(node, name)
        shape = (self._constants[name].spec if name in self._constants else self._known[name]).shape
        if not -len(shape) <= at.axis < len(shape):
            raise ShapeError(f"node '{node.name}' ({node.op}): axis {at.axis} of shape {shape}")
        size = shape[at.axis]
        squeezed = not at.keepdims
        if len(node.inputs) < 2 or not node.inputs[1]:
            self._refuse_more(node, size)
            sizes = [1] * size
        else:
            given = self._constants.get(node.inputs[1])
            if given is None:
                raise NeedsValue(node.name, 1, node.inputs[1])
            if given.spec.dtype.numpy.kind not in "iu" or given.spec.rank > 1:
                raise ShapeError(
                    f"node '{node.name}' ({node.op}): sizes of parts are {given.spec}, not integers"
                )
            squeezed = False  # keepdims is for parts of size 1 that nothing asked for
            sizes = given.array.reshape(-1).tolist()
            if given.spec.rank == 0:
                step = sizes[0]
                if step < 1:
                    raise ShapeError(f"node '{node.name}' ({node.op}): parts of {step}")
                self._refuse_more(node, -(-size // step))
                sizes = [min(step, size - start) for start in range(0, size, step)]
            self._refuse_more(node, len(sizes))
        elements = tuple(self._fresh(f"{node.name}/part") for _ in sizes)
        self.sequences[node.outputs[0]] = elements
        if not elements:
            return []
        split = self._constant(np.array(sizes, np.int64))
        pieces = tuple(self._fresh(f"{node.name}/piece") for _ in sizes) if squeezed else elements
        nodes = [make_node("Split", (name, split), pieces, node.name, axis=at.axis)]
        if squeezed:
            axes = self._constant(np.array([at.axis], np.int64))
            nodes += [
                make_node("Squeeze", (piece, axes), (part,), self._fresh(f"{node.name}/squeeze"))
                for piece, part in zip(pieces, elements, strict=True)
            ]
        return nodes

    def _refuse_more(self, node: Node, count: int) -> None:
        if count > SEQUENCE_LIMIT:
            raise UnsupportedError(
                f"node '{node.name}' ({node.op}): a sequence of {count:,} tensors; clconv follows at most "
                f"{SEQUENCE_LIMIT:,}: give larger parts"
            )

    def _constant(self, value: np.ndarray) -> str:
        name = self._fresh("sequence/constant")
        self._constants[name] = Constant(value)
        return name


def _one_integer(node: Node, constant: Constant) -> int:
    """The position that a constant holds; ShapeError unless it is one integer."""
    if constant.spec.size != 1 or constant.spec.dtype.numpy.kind not in "iu":
        raise ShapeError(
            f"node '{node.name}' ({node.op}): a position must be one integer, it is {constant.spec}"
        )
    return int(constant.array.reshape(-1)[0])


# The operators that `SequenceWriter.write` takes, besides Identity.
_WRITERS: dict[str, Callable[[SequenceWriter, Node], list[Node]]] = {
    "SequenceEmpty": SequenceWriter.construct,
    "SequenceConstruct": SequenceWriter.construct,
    "SequenceInsert": SequenceWriter.insert,
    "SequenceErase": SequenceWriter.erase,
    "SequenceAt": SequenceWriter.at,
    "SequenceLength": SequenceWriter.length,
    "ConcatFromSequence": SequenceWriter.concat,
    "SplitToSequence": SequenceWriter.split,
}

SEQUENCE_OPS = frozenset(_WRITERS)

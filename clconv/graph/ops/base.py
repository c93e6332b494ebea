"""What an operator is: a shape rule, a NumPy reference and a cost. One registry for all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from clconv.errors import GraphError, NeedsValue, ShapeError, UnsupportedError
from clconv.graph.cost import Cost as Cost
from clconv.graph.ir import RUNNING, Attributes, Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops.hooks import NO_HOOKS, Hooks
from clconv.records import record

REQUIRED: Any = object()  # default of an attribute that must be given


@record(frozen=True)
class Call:
    """What a shape rule sees: the node, the specs of its inputs, and the values of constant ones."""

    node: Node
    specs: tuple[TensorSpec | None, ...]
    values: Sequence[np.ndarray | None]

    @property
    def attrs(self) -> Attributes:
        return self.node.attrs

    def has(self, index: int) -> bool:
        """Whether the optional input is there."""
        return index < len(self.specs) and self.specs[index] is not None

    def spec(self, index: int) -> TensorSpec:
        if index >= len(self.specs) or (found := self.specs[index]) is None:
            self.fail(f"input {index} is missing")
        return found

    def value(self, index: int) -> np.ndarray:
        """The value of a constant input; NeedsValue if it is only known at run time."""
        self.spec(index)
        found = self.values[index]
        if found is None:
            raise NeedsValue(self.node.name, index, self.node.inputs[index])
        return found

    def ints(self, index: int) -> tuple[int, ...]:
        """The value of a constant integer input, flattened; ShapeError if it is of another type."""
        self.expect(self.spec(index).dtype.numpy.kind in "iu", f"input {index} must hold integers")
        return tuple(int(v) for v in self.value(index).reshape(-1))

    def axis(self, axis: int, rank: int) -> int:
        """A possibly negative axis as 0..rank-1."""
        if not -rank <= axis < rank:
            self.fail(f"axis {axis} is outside -{rank}..{rank - 1}")
        return axis % rank

    def expect(self, condition: object, message: str) -> None:
        if not condition:
            self.fail(message)

    def fail(self, message: str) -> NoReturn:
        shapes = ", ".join("-" if s is None else str(s) for s in self.specs)
        raise ShapeError(f"node '{self.node.name}' ({self.node.op}): {message}; inputs: {shapes}")


Infer = Callable[[Call], Sequence[TensorSpec]]
Reference = Callable[..., Any]  # reference(attrs, *arrays) -> array or tuple of arrays
RunGraph = Callable[[Graph, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
Control = Callable[[Attributes, Sequence[np.ndarray | None], RunGraph], tuple[np.ndarray, ...]]
CostRule = Callable[[Node, Sequence[TensorSpec | None], Sequence[TensorSpec]], Cost]


class Emitter:
    """Writes nodes. fresh: makes a name that nothing has yet from a hint."""

    def __init__(self, fresh: Callable[[str], str]) -> None:
        self.fresh = fresh
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = {}

    def emit(self, op: str, *inputs: str, outputs: int = 1, **attrs: Any) -> list[str]:
        """Adds a node; returns the names of its outputs."""
        names = [self.fresh(op.lower()) for _ in range(outputs)]
        self.nodes.append(make_node(op, inputs, names, self.fresh(op.lower()), **attrs))
        return names

    def constant(self, value: Any, hint: str = "constant") -> str:
        """A constant for the nodes; one that is a Constant already shares its copies on the device."""
        name = self.fresh(hint)
        self.constants[name] = value if isinstance(value, Constant) else Constant(value)
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64), "integers")


class Expansion(Emitter):
    """What an operator that is written with others sees, and the nodes it writes.

    call: the node with the specs and known values of its inputs. fresh: makes a name of its own from a hint.
    """

    def __init__(
        self, call: Call, constants: Mapping[str, Constant], fresh: Callable[[str], str]
    ) -> None:
        super().__init__(fresh)
        self.call, self._known = call, constants

    def known(self, index: int) -> Constant | None:
        """An input of the node, if it is a constant."""
        return self._known.get(self.call.node.inputs[index])

    def result(self, name: str, index: int = 0) -> None:
        """Says which value is an output of the node."""
        node = self.call.node
        if index < len(node.outputs) and node.outputs[index]:
            output = node.outputs[index]
            for step in node.epilogue if index == 0 else ():
                operands = [name if i == RUNNING else node.inputs[i] for i in step.operands]
                (name,) = self.emit(step.op, *operands, **step.attrs)
            self.nodes.append(make_node("Identity", (name,), (output,), self.fresh("result")))


def streaming_cost(
    node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
) -> Cost:
    """Cost of an operator that reads its inputs once: one operation per output element."""
    moved = sum(s.nbytes for s in (*inputs, *outputs) if s is not None)
    return Cost(flops=sum(s.size for s in outputs), bytes=moved)


@record(frozen=True)
class Op:
    """One operator with ONNX's name and semantics.

    infer: specs of the outputs from a Call; raises ShapeError or NeedsValue.
    reference: naive NumPy, accumulating in float64, absent inputs are None.
    attributes: name -> default (REQUIRED if there is none). A node of the canonical graph carries
        every one of them.
    inputs: least and most number of inputs (most None: any number).
    """

    name: str
    infer: Infer
    reference: Reference
    cost: CostRule = streaming_cost
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    inputs: tuple[int, int | None] = (1, 1)
    host_only: bool = False  # output shape depends on data, or control flow: runs on the host
    folds: bool = True  # False: not computed beforehand even if all inputs are constants
    settle: Callable[[Call], Attributes] | None = None
    """Attributes that depend on shapes (auto_pad) made explicit once the shapes are known."""
    expand: Callable[[Expansion], bool] | None = None
    """Writes the node with other operators once the specs of its inputs are known; False where it leaves the
    node as it is. May raise NeedsValue."""
    always_expands: bool = False
    hooks: Hooks | None = None
    """What the passes need to know. Every operator with kernels says it."""
    control: Control | None = None
    """In place of the reference for If, Loop and Scan: control(attrs, arrays, run) where run(graph, feeds)
    computes the outputs of a subgraph."""

    @property
    def has_kernel(self) -> bool:
        """Whether nodes of this operator reach the lowering."""
        return not self.host_only and not self.always_expands

    def complete(self, name: str, attrs: Mapping[str, Any]) -> Attributes:
        """Attributes with defaults filled in; GraphError for unknown or missing ones."""
        unknown = sorted(set(attrs) - set(self.attributes))
        if unknown:
            raise GraphError(f"node '{name}' ({self.name}): unknown attributes {unknown}")
        full = {**self.attributes, **attrs}
        missing = sorted(k for k, v in full.items() if v is REQUIRED)
        if missing:
            raise GraphError(f"node '{name}' ({self.name}): attributes {missing} are required")
        return Attributes(full)


OPS: dict[str, Op] = {}


def register(op: Op) -> Op:
    if op.name in OPS:
        raise ValueError(f"operator {op.name} is registered twice")
    OPS[op.name] = op
    return op


def get_op(name: str) -> Op:
    """The operator of that name; UnsupportedError if there is none."""
    try:
        return OPS[name]
    except KeyError:
        raise UnsupportedError(f"operator {name} is not supported") from None


def hooks_of(node: Node) -> Hooks:
    """What the passes need to know of a node's operator."""
    return get_op(node.op).hooks or NO_HOOKS


def make_node(
    op: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    name: str | None = None,
    /,
    **attrs: Any,
) -> Node:
    """A canonical node: attributes completed with the operator's defaults."""
    label = name or outputs[0]
    return Node(op, label, tuple(inputs), tuple(outputs), get_op(op).complete(label, attrs))


def broadcast_shapes(call: Call, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """NumPy broadcasting; ShapeError naming the node if the shapes do not fit."""
    try:
        return tuple(int(d) for d in np.broadcast_shapes(*shapes))
    except ValueError:
        call.fail(f"shapes {' and '.join(map(str, shapes))} do not broadcast")


def same_dtype(call: Call, *indices: int) -> DType:
    """The one dtype of the given inputs; ShapeError if they differ."""
    found = {call.spec(i).dtype for i in indices if call.has(i)}
    if len(found) != 1:
        call.fail(f"inputs have different dtypes {sorted(d.value for d in found)}")
    return found.pop()

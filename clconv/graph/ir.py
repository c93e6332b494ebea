"""The intermediate representation: Graph, Node and its Attributes, and what `tensor` says about values.

Everything is immutable; a pass takes a Graph and returns a new one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from clconv.graph.tensor import (
    ANY_SHAPE,
    MOST_AXES,
    PLAIN,
    Constant,
    DType,
    Layout,
    TensorSpec,
)
from clconv.records import record

__all__ = [
    "ANY_SHAPE",
    "MOST_AXES",
    "PLAIN",
    "RUNNING",
    "Attributes",
    "Constant",
    "DType",
    "EpilogueStep",
    "Graph",
    "Layout",
    "Node",
    "TensorSpec",
]


class Attributes(Mapping[str, Any]):
    """Read-only attributes of a node, also as attributes: `a.strides`, `a["strides"]`."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        merged = {**(items or {}), **more}
        object.__setattr__(self, "_items", {k: _freeze(v) for k, v in merged.items()})

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __getattr__(self, name: str) -> Any:
        try:
            return self._items[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("Attributes are read-only")

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attributes):
            return NotImplemented
        mine, theirs = self._items, other._items
        return mine.keys() == theirs.keys() and all(_same(v, theirs[k]) for k, v in mine.items())

    def __hash__(self) -> int:
        return hash(tuple(sorted((k, _short_text(v)) for k, v in self._items.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return Attributes, (dict(self._items),)

    def replace(self, **changes: Any) -> Attributes:
        return Attributes({**self._items, **changes})

    def __str__(self) -> str:
        return " ".join(f"{k}={_short_text(v)}" for k, v in self._items.items())

    __repr__ = __str__


def _freeze(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_freeze(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return Constant(one) == Constant(other)
    return bool(one == other)


def _short_text(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ",".join(_short_text(v) for v in value) + ")"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Graph):
        return f"<{value.name}: {len(value.nodes)} nodes>"
    return str(value)


RUNNING = -1  # operand of an epilogue step: the value computed so far


@record(frozen=True)
class EpilogueStep:
    """An element-wise operator applied to a node's result before it is stored.

    `operands` are indices into the node's inputs; RUNNING stands for the value computed so far.
    """

    op: str
    attrs: Attributes = dataclasses.field(default_factory=Attributes)
    operands: tuple[int, ...] = (RUNNING,)


@record(frozen=True)
class Node:
    """One operator applied to named values. An absent optional input or output is the empty string.

    With an epilogue, the inputs that its steps use stand behind the operator's own: `op_inputs` are
    the operator's, `inputs` all.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Attributes = dataclasses.field(default_factory=Attributes)
    epilogue: tuple[EpilogueStep, ...] = ()
    op_arity: int | None = None

    @property
    def op_inputs(self) -> tuple[str, ...]:
        return self.inputs if self.op_arity is None else self.inputs[: self.op_arity]

    def __str__(self) -> str:
        tail = "".join(
            f" ; {s.op}({', '.join('.' if i == RUNNING else self.inputs[i] for i in s.operands)})"
            for s in self.epilogue
        )
        ins = ", ".join(i or "-" for i in self.op_inputs)
        attrs = f" {{{self.attrs}}}" if len(self.attrs) else ""
        return f"{', '.join(self.outputs)} = {self.op}({ins}){attrs}{tail}  # {self.name}"


@record(frozen=True, repr=False)
class Graph:
    """Nodes in execution order, with the specs of inputs and (once inferred) of every value.

    state: input -> output. After a run the input holds what the output held: weights and moments while a network
    learns. Such inputs stay on the device and are neither fed nor read back, nor are their outputs. An input that maps
    to itself is only read.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    specs: Mapping[str, TensorSpec]
    constants: Mapping[str, Constant] = dataclasses.field(default_factory=dict)
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    state: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for field in ("specs", "constants", "metadata", "state"):
            object.__setattr__(self, field, MappingProxyType(dict(getattr(self, field))))

    def __reduce__(self) -> tuple[Any, ...]:
        """What a read-only mapping lacks: copies and pickles of a graph."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))
        return Graph, tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values)

    def replace(self, **changes: Any) -> Graph:
        """The graph with other values in these fields."""
        return dataclasses.replace(self, **changes)

    def spec(self, name: str) -> TensorSpec:
        """Spec of an input, a constant or (after shape inference) any value; KeyError if unknown."""
        constant = self.constants.get(name)
        return constant.spec if constant is not None else self.specs[name]

    @property
    def updates(self) -> dict[str, str]:
        """Of the state what a run changes: input -> output."""
        return {name: new for name, new in self.state.items() if name != new}

    @property
    def fed(self) -> tuple[str, ...]:
        """The inputs that a run is given."""
        return tuple(n for n in self.inputs if n not in self.state)

    @property
    def returned(self) -> tuple[str, ...]:
        """The outputs that a run gives back."""
        kept = set(self.updates.values())
        return tuple(n for n in self.outputs if n not in kept)

    def input_specs(self) -> dict[str, TensorSpec]:
        """Specs of the fed inputs as declared; the shape is ANY_SHAPE where not even the rank is."""
        unranked: Mapping[str, DType] = self.metadata.get("unranked", {})
        return {
            n: self.specs[n] if n in self.specs else TensorSpec(ANY_SHAPE, unranked[n])
            for n in self.fed
        }

    def producers(self) -> dict[str, Node]:
        """The node that makes each value; inputs and constants have none."""
        return {out: node for node in self.nodes for out in node.outputs if out}

    def consumers(self) -> dict[str, list[Node]]:
        """Nodes that read each value; a graph output is not a node and is not counted."""
        uses: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                if name:
                    uses.setdefault(name, []).append(node)
        return uses

    def output_specs(self) -> dict[str, TensorSpec | None]:
        """Specs of the returned outputs as far as they are known; None where nothing is."""
        declared: Mapping[str, TensorSpec] = self.metadata.get("output_specs", {})
        constants = {n: self.constants[n].spec for n in self.returned if n in self.constants}
        known = {**declared, **self.specs, **constants}
        return {name: known.get(name) for name in self.returned}

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """What training would change, by name: weights, biases, scales. Read-only arrays."""
        from clconv.graph.parameters import parameter_names

        return {name: self.constants[name].array for name in parameter_names(self)}

    def __repr__(self) -> str:
        from clconv.graph.described import graph_line

        return f"<Graph {graph_line(self)}>"

    def _repr_html_(self) -> str:
        from clconv.graph.described import graph_html

        return graph_html(self)

    def __str__(self) -> str:
        def described(names: Iterable[str]) -> str:
            return ", ".join(f"{n}: {self.specs.get(n, '?')}" for n in names)

        lines = [f"graph {self.name}({described(self.inputs)})"]
        lines += [
            f"  constant {name}: {constant.spec}" for name, constant in self.constants.items()
        ]
        for node in self.nodes:
            specs = ", ".join(str(self.specs.get(o, "?")) for o in node.outputs if o)
            lines.append(f"  {node}  -> {specs}")
        lines.append(f"  return {described(self.returned)}")
        for name, new in self.state.items():
            lines.append(
                f"  state {name}: {self.specs.get(name, '?')}"
                + (f" = {new}" if new != name else "")
            )
        return "\n".join(lines)

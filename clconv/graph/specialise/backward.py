"""What the gradient rule of an operator sees, and the nodes it writes."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from clconv.graph.evaluate import infer_node
from clconv.graph.ir import Attributes, Constant, DType, Node, TensorSpec
from clconv.graph.ops.base import Emitter


class Backward(Emitter):
    """One node on the way back.

    A rule takes the gradient of the node's outputs (`gradient`) and writes those of its inputs (`emit` and what is
    built on it); it may read the inputs and outputs. All specs are known: `spec_of` tells those of what was written, too.

    gradients: by output, "" where nothing depends on it. wanted: by input, whether anybody asks for its gradient.
    """

    def __init__(
        self,
        node: Node,
        gradients: Sequence[str],
        wanted: Sequence[bool],
        specs: MutableMapping[str, TensorSpec],
        constants: MutableMapping[str, Constant],
        fresh: Callable[[str], str],
    ) -> None:
        super().__init__(fresh)
        self.node, self._gradients, self._wanted = node, tuple(gradients), tuple(wanted)
        self._specs = ChainMap[str, TensorSpec]({}, specs)
        self._known = ChainMap[str, Constant](self.constants, constants)

    @property
    def own_specs(self) -> Mapping[str, TensorSpec]:
        """Of what was written."""
        return self._specs.maps[0]

    # What is there.

    @property
    def attrs(self) -> Attributes:
        return self.node.attrs

    def has(self, index: int) -> bool:
        """Whether the optional input is there."""
        return index < len(self.node.inputs) and bool(self.node.inputs[index])

    def input(self, index: int = 0) -> str:
        return self.node.inputs[index]

    def output(self, index: int = 0) -> str:
        """An output; written anew if the node does not give it, as the indices of a MaxPool whose values alone are
        asked for."""
        if index < len(self.node.outputs) and self.node.outputs[index]:
            return self.node.outputs[index]
        return self.again(index + 1)[index]

    def again(self, outputs: int) -> list[str]:
        """The node once more, with that many outputs."""
        return self.emit(self.node.op, *self.node.inputs, outputs=outputs, **self.node.attrs)

    def gradient(self, index: int = 0) -> str:
        """The gradient of an output; zeros where nothing depends on it."""
        if index < len(self._gradients) and self._gradients[index]:
            return self._gradients[index]
        return self.zeros(self.spec_of(self.output(index)))

    def has_gradient(self, index: int) -> bool:
        return index < len(self._gradients) and bool(self._gradients[index])

    def wants(self, index: int) -> bool:
        """Whether the gradient of an input is asked for."""
        return index < len(self._wanted) and self._wanted[index]

    def spec_of(self, name: str) -> TensorSpec:
        constant = self._known.get(name)
        return constant.spec if constant is not None else self._specs[name]

    def spec(self, index: int = 0) -> TensorSpec:
        """The spec of an input."""
        return self.spec_of(self.node.inputs[index])

    @property
    def result(self) -> TensorSpec:
        """The spec of the first output."""
        return self.spec_of(self.node.outputs[0])

    def value(self, index: int) -> np.ndarray | None:
        """The value of an input if it is known."""
        constant = self._known.get(self.node.inputs[index]) if self.has(index) else None
        return None if constant is None else constant.array

    # What is written.

    def emit(self, op: str, *inputs: str, outputs: int = 1, **attrs: Any) -> list[str]:
        """Adds a node; returns the names of its outputs."""
        written = super().emit(op, *inputs, outputs=outputs, **attrs)
        found = infer_node(self.nodes[-1], self._specs, self._known)
        self._specs.update(zip(written, found, strict=False))
        return written

    def one(self, op: str, *inputs: str, **attrs: Any) -> str:
        """Adds a node of one output; returns its name."""
        return self.emit(op, *inputs, **attrs)[0]

    def number(self, value: float, dtype: DType | None = None) -> str:
        """A scalar constant, by default in the dtype of the first output."""
        return self.constant(np.array(value, (dtype or self.result.dtype).numpy), "number")

    def zeros(self, spec: TensorSpec) -> str:
        return self.one(
            "ConstantOfShape", self.ints(*spec.shape), value=0.0, dtype=spec.dtype.value
        )

    def add(self, a: str, b: str) -> str:
        return self.one("Add", a, b)

    def sub(self, a: str, b: str) -> str:
        return self.one("Sub", a, b)

    def mul(self, a: str, b: str) -> str:
        return self.one("Mul", a, b)

    def div(self, a: str, b: str) -> str:
        return self.one("Div", a, b)

    def neg(self, a: str) -> str:
        return self.one("Neg", a)

    def cast(self, name: str, dtype: DType) -> str:
        return name if self.spec_of(name).dtype is dtype else self.one("Cast", name, to=dtype.value)

    def reshape(self, name: str, shape: Sequence[int]) -> str:
        if self.spec_of(name).shape == tuple(shape):
            return name
        return self.one("Reshape", name, self.ints(*shape), allowzero=1)

    def transpose(self, name: str, perm: Sequence[int]) -> str:
        if tuple(perm) == tuple(range(len(perm))):
            return name
        return self.one("Transpose", name, perm=tuple(perm))

    def sum(self, name: str, axes: Sequence[int], keepdims: bool = True) -> str:
        if not axes:
            return name
        return self.one("ReduceSum", name, self.ints(*axes), keepdims=int(keepdims))

    def sum_to(self, name: str, shape: Sequence[int]) -> str:
        """The sum over the axes along which `shape` was broadcast to the value's shape: the gradient of broadcasting."""
        have = self.spec_of(name).shape
        extra = len(have) - len(shape)
        axes = [*range(extra)]
        axes += [extra + i for i, n in enumerate(shape) if n == 1 and have[extra + i] != 1]
        return self.reshape(self.sum(name, axes), shape)

    def expand_to(self, name: str, shape: Sequence[int]) -> str:
        if self.spec_of(name).shape == tuple(shape):
            return name
        return self.one("Expand", name, self.ints(*shape))

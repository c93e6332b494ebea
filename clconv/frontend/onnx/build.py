"""What converters read (Source) and write to (Builder)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from clconv.errors import GraphError, UnsupportedError
from clconv.frontend.onnx.declarations import Declarations
from clconv.frontend.onnx.structure import Names
from clconv.graph.ir import Constant, DType, Node
from clconv.graph.ops import make_node
from clconv.records import record


@record(frozen=True)
class Source:
    """An ONNX node as its converter sees it: unique name, values by their names in the graph.

    Trailing absent inputs and outputs are cut off; the others are "". attrs are as given, without
    defaults. opset is that of the model, not the version of the operator.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any]
    opset: int

    @property
    def label(self) -> str:
        return f"node '{self.name}' ({self.op})"

    def input(self, index: int) -> str:
        """Name of an input, "" if it is absent."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def output(self, index: int) -> str:
        return self.outputs[index] if index < len(self.outputs) else ""

    def without(self, *names: str) -> dict[str, Any]:
        """All attributes but these."""
        return {k: v for k, v in self.attrs.items() if k not in names}

    def fail(self, message: str) -> NoReturn:
        raise GraphError(f"{self.label}: {message}")

    def unsupported(self, message: str) -> NoReturn:
        raise UnsupportedError(message)


class Builder:
    """The graph being built: nodes in order, constants, and fresh names for both."""

    def __init__(self, declarations: Declarations, values: Names, node_names: Names) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = {}
        self.decided: set[str] = set()  # constants whose values the graph's form depends on
        self.declarations = declarations
        self.values = values
        self.node_names = node_names

    def emit(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds a node whose name and outputs are given (the converted node's own)."""
        self.nodes.append(make_node(op, inputs, outputs, name, **(attrs or {})))

    def alias(self, name: str, output: str) -> None:
        """Makes a value known by a second name as well."""
        constant = self.constants.get(name)
        if constant is not None:
            self.constants[output] = constant
        else:
            self.emit("Identity", (name,), (output,), self.node_names.fresh(output))

    def helper(
        self, source: Source, op: str, inputs: Sequence[str], hint: str, **attrs: Any
    ) -> str:
        """Adds a node that the conversion needs besides its own; returns the name of its output."""
        output = self.values.fresh(f"{source.name}/{hint}")
        self.emit(op, inputs, (output,), self.node_names.fresh(f"{source.name}/{hint}"), attrs)
        return output

    def constant(self, source: Source, value: Any, dtype: DType, hint: str) -> str:
        """Adds a constant that used to be an attribute; returns its name. GraphError for numbers that the dtype does
        not have, such as NaN or 0.5 where integers are wanted."""
        array = np.asarray(value)
        if array.dtype.kind == "f" and dtype.numpy.kind in "iu" and not _are_whole(array, dtype):
            source.fail(f"{hint} is {value}, which {dtype.value} does not have")
        name = self.values.fresh(f"{source.name}/{hint}")
        self.constants[name] = Constant(np.array(value, dtype.numpy))
        return name

    def integers(self, source: Source, value: Any, hint: str) -> str:
        return self.constant(source, value, DType.INT64, hint)

    def scalar_like(self, source: Source, value: float, like: str, hint: str) -> str:
        """A scalar of the dtype that the value `like` has, cast at run time if that is not known."""
        dtype = self.dtype(like)
        if dtype is not None:
            return self.constant(source, value, dtype, hint)
        plain = self.constant(source, value, DType.FLOAT32, hint)
        return self.helper(source, "CastLike", (plain, like), f"{hint}_cast")

    def known(self, name: str) -> np.ndarray | None:
        """The value, if it is a constant."""
        constant = self.constants.get(name)
        self.decided.add(name)
        return None if constant is None else constant.array

    def shape(self, name: str) -> tuple[Any, ...] | None:
        constant = self.constants.get(name)
        return self.declarations.shape(name) if constant is None else constant.spec.shape

    def rank(self, name: str) -> int | None:
        shape = self.shape(name)
        return None if shape is None else len(shape)

    def dtype(self, name: str) -> DType | None:
        constant = self.constants.get(name)
        return self.declarations.dtype(name) if constant is None else constant.spec.dtype


def _are_whole(numbers: np.ndarray, dtype: DType) -> bool:
    """Whether all are integers of the dtype."""
    limits = np.iinfo(dtype.numpy)
    within = (numbers >= float(limits.min)) & (numbers < float(limits.max) + 1)  # false for NaN
    return bool((within & (numbers == np.floor(numbers))).all())


Converter = Callable[[Source, Builder], None]

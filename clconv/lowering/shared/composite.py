"""Composite operators, which consist of other operators: each of those is a node of its own, lowered by the variant that
select() takes for it among those on plain tensors.

Values between these inner operators are scratch. A value may be read in any shape of the same size, because all of
them are plain.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.graph.evaluate import infer_node, settle_node
from clconv.graph.ir import Constant, DType, TensorSpec
from clconv.graph.ops import get_op, make_node
from clconv.lowering.choice.select import select
from clconv.lowering.model.arguments import (
    Argument,
    Packed,
    PackedValue,
    Packing,
    Read,
    Write,
)
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.records import record

# Bytes; a multiple of every device's alignment of buffers that are part of another.
INNER_ALIGNMENT = 4096


@record(frozen=True)
class DerivedConstant:
    """How the content of a value follows from a constant: a name for it, and the function."""

    constant: str
    name: str
    settings: tuple[Hashable, ...]
    function: Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Value:
    """A tensor that an inner operator reads or writes: an input or output of the node, scratch, or one derived from a
    constant. known: the content, where it is constant."""

    name: str
    spec: TensorSpec
    known: Constant | None = None
    derived: DerivedConstant | None = None
    offset: int = 0  # bytes behind the start of the named buffer

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spec.shape

    def argument(self) -> Argument:
        """What a kernel gets in order to read it."""
        if self.derived is None:
            return Read(self.name, self.offset)
        return Packed(self.derived.constant, _packing(self))

    def reshaped(self, *shape: int) -> Value:
        """The same elements in another shape."""
        spec = TensorSpec(shape, self.spec.dtype)
        if self.known is None:
            return dataclasses.replace(self, spec=spec)
        return dataclasses.replace(self, spec=spec, known=Constant(self.known.array.reshape(shape)))


def _packing(value: Value, outer: Packing | None = None) -> Packing:
    """How a value is packed that is derived from a constant: derived, and then packed as `outer` says."""
    derived, shape = value.derived, value.shape
    assert derived is not None

    def pack(array: np.ndarray) -> np.ndarray:
        inner = np.ascontiguousarray(derived.function(array)).reshape(shape)
        return inner if outer is None else outer.function(inner)

    names = f"{derived.name}/{outer.name}" if outer else derived.name
    return Packing(names, (derived.settings, shape, outer.settings if outer else ()), pack)


class Composite:
    """Collects the launches of a node that consists of other operators."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._calls: list[KernelCall] = []
        self._scratch: dict[str, int] = {}

    def input(self, index: int) -> Value:
        """An input of the node, constant or not."""
        name, spec = self.problem.node.inputs[index], self.problem.input(index)
        known = self.problem.constants.get(name)
        if known is None:
            return Value(name, spec)
        return Value(name, spec, known, DerivedConstant(name, "as-is", (), lambda array: array))

    def derived(
        self,
        index: int,
        name: str,
        settings: tuple[Hashable, ...],
        function: Callable[[np.ndarray], np.ndarray],
    ) -> Value:
        """What a function derives from a constant input; name and settings stand for the function."""
        source = self.problem.node.inputs[index]
        constant = Constant(function(self.problem.constants[source].array))
        return Value(
            source, constant.spec, constant, DerivedConstant(source, name, settings, function)
        )

    def output(self, index: int, *shape: int) -> Value:
        """An output of the node by its index among those that have a name, in another shape if given."""
        named = [n for n in self.problem.node.outputs if n]
        spec = self.problem.outputs[index]
        return Value(named[index], TensorSpec(shape or spec.shape, spec.dtype))

    def scratch(self, what: str, shape: Sequence[int], dtype: DType = DType.FLOAT32) -> Value:
        """A buffer for a value between inner operators."""
        name = f"{self.problem.node.name}:{what}{len(self._scratch)}"
        spec = TensorSpec(tuple(shape), dtype)
        self._scratch[name] = spec.nbytes
        return Value(name, spec)

    def inside(self, whole: Value, offset: int, shape: Sequence[int]) -> Value:
        """A value inside another one, from a byte on that is a multiple of PART_ALIGNMENT."""
        return Value(whole.name, TensorSpec(tuple(shape), whole.spec.dtype), offset=offset)

    def call(self, call: KernelCall) -> None:
        """A launch of the node's own."""
        self._calls.append(call)

    def emit(
        self, op: str, inputs: Sequence[Value | Any], target: Value | None = None, **attrs: Any
    ) -> Value:
        """One operator on values; plain Python lists of ints are constant int64 inputs.

        Returns `target`, or scratch of the result's shape. Raises what select() raises.
        """
        values = [v if isinstance(v, Value) else _ints(v) for v in inputs]
        names = [f"in{i}" for i in range(len(values))]
        constants = {n: v.known for n, v in zip(names, values, strict=True) if v.known is not None}
        specs = {n: v.spec for n, v in zip(names, values, strict=True)}
        node = make_node(op, names, ["out"], self.problem.node.name, **attrs)
        node = settle_node(node, specs, constants)
        (spec,) = infer_node(node, specs, constants)
        target = target or self.scratch(op.lower(), spec.shape, spec.dtype)
        cost = get_op(op).cost(node, [v.spec for v in values], [spec])
        inner = Problem(
            node, tuple(v.spec for v in values), (spec,), constants, self.problem.device, cost=cost,
            findings=self.problem.findings, options=self.problem.options,
        )  # fmt: skip
        choice = select(inner, plain_only=True)
        lowered = choice.variant.lower(
            dataclasses.replace(inner, parameters=dict(choice.parameters))
        )
        known = dict(zip(names, values, strict=True)) | {"out": target}
        for name, nbytes in lowered.scratch.items():
            known[name] = self.scratch("part", (nbytes,), DType.UINT8)
        copies = tuple(call for placement in lowered.placements for call in placement.calls)
        for call in (
            *lowered.calls,
            *copies,
        ):  # an inner result is never placed inside another value
            if all(call.global_size):
                renamed = tuple((name, _renamed(a, known)) for name, a in call.arguments)
                self._calls.append(dataclasses.replace(call, arguments=renamed))
        return target

    def lowered(self) -> Lowered:
        return Lowered(tuple(self._calls), self._scratch)


def _ints(values: Sequence[int]) -> Value:
    constant = Constant(np.array(values, np.int64))
    return Value("", constant.spec, constant)


def _renamed(argument: Argument, known: Mapping[str, Value]) -> Argument:
    match argument:
        case Read(value, offset) if known[value].derived is None:
            return Read(known[value].name, known[value].offset + offset)
        case Write(value, offset):
            return Write(known[value].name, known[value].offset + offset)
        case PackedValue(value, spec, packing, offset):
            return PackedValue(known[value].name, spec, packing, known[value].offset + offset)
        case Packed(constant, packing):
            return Packed(known[constant].name, _packing(known[constant], packing))
    return argument

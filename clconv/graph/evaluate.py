"""One node at a time: its specs from those of its inputs, its values from theirs, its cost."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clconv.errors import (
    DeviceMemoryError,
    GraphError,
    Guard,
    HostMemoryError,
    NeedsValue,
    ShapeError,
)
from clconv.graph.ir import (
    MOST_AXES,
    RUNNING,
    Attributes,
    Constant,
    EpilogueStep,
    Graph,
    Node,
    TensorSpec,
)
from clconv.graph.ops import OPS, Call, Cost, get_op
from clconv.graph.ops.base import RunGraph
from clconv.records import record

# No device has so many bytes, and products of sizes below it fit 64-bit integers.
_ADDRESSABLE = 1 << 48
# A node of constants is computed beforehand if that takes so many operations at most: the references are naive.
_FOLD_WORK = 1 << 30


def infer_node(
    node: Node, specs: Mapping[str, TensorSpec], constants: Mapping[str, Constant]
) -> tuple[TensorSpec, ...]:
    """Specs of a node's outputs, in order. Raises ShapeError, GraphError or NeedsValue."""
    with Guard("its shape rule", node.name, node.op):
        outputs = tuple(get_op(node.op).infer(call_of(node, specs, constants)))
        _check_addressable(node, outputs)
        if not node.epilogue:
            return outputs
        running = outputs[0]
        for step in node.epilogue:
            running = _infer_step(
                node, step.op, step.operands, step.attrs, running, specs, constants
            )
        return (running, *outputs[1:])


def _check_addressable(node: Node, outputs: Sequence[TensorSpec]) -> None:
    for name, spec in zip(node.outputs, outputs, strict=False):
        if spec.rank > MOST_AXES:
            raise ShapeError(
                f"node '{node.name}' ({node.op}): '{name}' has {spec.rank:,} axes, NumPy's arrays have at most {MOST_AXES}"
            )
        if spec.is_static and _spanned(spec) > _ADDRESSABLE:
            raise DeviceMemoryError(
                f"node '{node.name}' ({node.op}): '{name}' {spec} has {spec.nbytes:,} bytes, more than any device holds"
            )


def _spanned(spec: TensorSpec) -> int:
    """Bytes as NumPy counts them before it makes an array: it looks past sizes that are zero."""
    return spec.nbytes or math.prod(size or 1 for size in spec.shape) * spec.dtype.itemsize


def settle_node(
    node: Node, specs: Mapping[str, TensorSpec], constants: Mapping[str, Constant]
) -> Node:
    """The node with attributes that depend on shapes (auto_pad) made explicit."""
    settle = get_op(node.op).settle
    if settle is None:
        return node
    with Guard("its shape rule", node.name, node.op):
        return dataclasses.replace(node, attrs=settle(call_of(node, specs, constants)))


def call_of(node: Node, specs: Mapping[str, TensorSpec], constants: Mapping[str, Constant]) -> Call:
    """What the node's shape rule sees. Raises GraphError if it has too few or too many inputs."""
    names = node.op_inputs
    check_arity(node)
    call = Call(
        node,
        tuple(_spec(n, specs, constants) if n else None for n in names),
        _Values(names, constants),
    )
    for i in range(get_op(node.op).inputs[0]):
        call.spec(i)
    return call


def check_arity(node: Node) -> None:
    """GraphError if the node has too few or too many inputs, or lacks one that must be there."""
    names, op = node.op_inputs, get_op(node.op)
    least, most = op.inputs
    if len(names) < least or (most is not None and len(names) > most):
        raise GraphError(
            f"node '{node.name}' ({node.op}): {len(names)} inputs, takes {least} to "
            f"{'any' if most is None else most}"
        )
    # Any number of operands of one kind: none of them is optional.
    alike = most is None and op.control is None
    for i in range(len(names) if alike else least):
        if not names[i]:
            raise GraphError(f"node '{node.name}' ({node.op}): input {i} is missing")


class _Values(Sequence[np.ndarray | None]):
    """Values of a node's constant inputs, read only when a shape rule asks: weights may be large."""

    def __init__(self, names: tuple[str, ...], constants: Mapping[str, Constant]) -> None:
        self._names, self._constants = names, constants

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        constant = self._constants.get(self._names[index])
        return None if constant is None else constant.array


def _spec(
    name: str, specs: Mapping[str, TensorSpec], constants: Mapping[str, Constant]
) -> TensorSpec:
    constant = constants.get(name)
    if constant is None and name not in specs:
        raise GraphError(f"'{name}' is no tensor whose shape is known; is it a sequence?")
    return constant.spec if constant is not None else specs[name]


def _infer_step(node, op, operands, attrs, running, specs, constants) -> TensorSpec:  # type: ignore[no-untyped-def]
    inner = Node(
        op,
        f"{node.name}:{op}",
        tuple("." if i == RUNNING else node.inputs[i] for i in operands),
        node.outputs,
        attrs,
    )
    # Only what the step reads: copying all specs for every step would make verify() quadratic.
    read = {n: specs[n] for n in inner.inputs if n in specs}
    result = infer_node(inner, {**read, ".": running}, constants)[0]
    if result.shape != running.shape:
        raise ShapeError(
            f"node '{node.name}': epilogue {op} turns {running} into {result}; it must keep the shape"
        )
    return result


def evaluate_graph(
    graph: Graph, feeds: Mapping[str, np.ndarray], keep: bool = False
) -> dict[str, np.ndarray]:
    """Values of a graph's outputs (of all values with keep) by the operators' references."""
    values: dict[str, np.ndarray] = {n: c.array for n, c in graph.constants.items()}
    values.update((name, np.asarray(feeds[name])) for name in graph.inputs)
    for node in graph.nodes:
        results = evaluate_node(node, [values[n] if n else None for n in node.inputs])
        values.update((n, r) for n, r in zip(node.outputs, results, strict=False) if n)
    return values if keep else {name: values[name] for name in graph.outputs}


def evaluate_node(
    node: Node, arrays: Sequence[np.ndarray | None], run: RunGraph = evaluate_graph
) -> tuple[np.ndarray, ...]:
    """Values of a node's outputs by the operators' references; absent inputs are None.

    run: computes the subgraphs of control flow, by default with the references as well. Raises ShapeError
    where the arrays do not fit the operator, InputError for an index that is outside, HostMemoryError.
    """
    op = get_op(node.op)
    check_arity(node)
    with Guard("its reference", node.name, node.op), np.errstate(all="ignore"):
        if op.control is not None:
            return tuple(np.asarray(r) for r in op.control(node.attrs, arrays, run))
        attrs = _accepted(node, arrays[: len(node.op_inputs)])
        results = op.reference(attrs, *arrays[: len(node.op_inputs)])
        results = results if isinstance(results, tuple) else (results,)
        if node.epilogue:
            running = results[0]
            for step in node.epilogue:
                running = evaluate_step(step, running, arrays)
            results = (running, *results[1:])
        return tuple(np.asarray(r) for r in results)


@record(frozen=True)
class _WithArrays(Call):
    """What a shape rule sees of arrays that exist: values where it asks for one. They count as known at run time only,
    so that what they hold is the reference's to check, and what shapes of results depend on is not computed twice."""

    arrays: Sequence[np.ndarray | None]

    def value(self, index: int) -> np.ndarray:
        self.spec(index)
        found = self.arrays[index]
        assert found is not None
        return found


def _accepted(node: Node, arrays: Sequence[np.ndarray | None]) -> Attributes:
    """The node's attributes, settled, once its shape rule has accepted the arrays: a reference takes that for granted."""
    op = get_op(node.op)
    specs = tuple(None if a is None else TensorSpec.of(a) for a in arrays)
    unknown = (None,) * len(arrays)
    if op.settle is not None:
        settled = op.settle(_WithArrays(node, specs, unknown, arrays))
        node = dataclasses.replace(node, attrs=settled)
    try:
        outputs = op.infer(_WithArrays(node, specs, unknown, arrays))
    except NeedsValue:  # an operator of the host whose shapes depend on data, and all else is right
        return node.attrs
    needed = sum(spec.nbytes for spec in outputs)
    if needed > _host_memory():
        raise HostMemoryError(
            f"node '{node.name}' ({node.op}): its results have {needed:,} bytes, the host has {_host_memory():,}"
        )
    return node.attrs


@functools.cache
def _host_memory() -> int:
    """Bytes of memory that this machine has; no limit where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return sys.maxsize


def evaluate_step(
    step: EpilogueStep, running: np.ndarray, arrays: Sequence[np.ndarray | None]
) -> np.ndarray:
    """The value that a step of an epilogue makes of the one so far; arrays: the node's inputs."""
    operands = [running if i == RUNNING else arrays[i] for i in step.operands]
    with np.errstate(all="ignore"):
        return np.asarray(OPS[step.op].reference(step.attrs, *operands))


def is_quick(
    node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
) -> bool:
    """Whether the references compute a node of these specs in a second or so."""
    return get_op(node.op).cost(node, inputs[: len(node.op_inputs)], outputs).flops <= _FOLD_WORK


def node_cost(node: Node, graph: Graph) -> Cost:
    """Floating-point operations and bytes of one node of a graph whose shapes are known."""
    inputs = [graph.spec(n) if n else None for n in node.op_inputs]
    outputs = [graph.spec(n) for n in node.outputs if n]
    with Guard("its cost", node.name, node.op):
        cost = get_op(node.op).cost(node, inputs, outputs)
    extra = outputs[0].size * len(node.epilogue) if outputs else 0
    operands = sum(graph.spec(n).nbytes for n in node.inputs[len(node.op_inputs) :] if n)
    return Cost(cost.flops + extra, cost.bytes + operands)

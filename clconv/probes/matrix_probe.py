"""Whether a device's matrix instructions compile and multiply right: asked once a process, before they are used."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable

import numpy as np

from clconv.debug import say
from clconv.device.info import DeviceInfo
from clconv.errors import ClconvError
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.probes.trial import outputs_of
from clconv.runtime.quarantine import read_quarantine

# What `clconv doctor` quarantines an instruction as if it were a variant of, where a process died of trying it.
MATRIX = "matrix"

# Instruction, precision that asks for it, what else the device must be said to have for it to be taken.
_ORDER = (
    ("tf32", "tf32", frozenset[str]()),
    ("f16", "float16", frozenset[str]()),
    ("f16 k16", "float16", frozenset({"f16"})),
    ("f16 8 lanes", "float16", frozenset[str]()),
    ("f16 16 lanes", "float16", frozenset[str]()),
    ("f16 pairs", "float16", frozenset[str]()),
    ("f16 short sums", "float16", frozenset[str]()),
)


def with_verified_matrix(graph: Graph | None, device: DeviceInfo, precision: str) -> DeviceInfo:
    """The device, with those of its matrix instructions that a network may use and that are verified.

    Unchanged if the network asks for none: neither by the precision nor by products of halves, which are
    exact in float32. Then nothing is tried, nor is what `clconv doctor` saw a process die of. None: no network but what
    the precision asks for. "strict" takes none.
    """
    if precision == "strict":
        return device
    asked = {precision} - {"float32"}
    if graph is not None and _has_halves(graph):
        asked.add("float16")
    if not asked or not device.matrix:
        return device
    deadly = {name for kind, name in read_quarantine(device) if kind == MATRIX}
    harmless = dataclasses.replace(device, matrix=device.matrix - deadly)
    return verified_matrix(harmless, frozenset(asked))


def _has_halves(graph: Graph) -> bool:
    if any(s.dtype is DType.FLOAT16 for s in graph.specs.values()):
        return True
    if any(c.spec.dtype is DType.FLOAT16 for c in graph.constants.values()):
        return True
    return any(
        _has_halves(value) if isinstance(value, Graph) else value == DType.FLOAT16.value
        for node in graph.nodes
        for value in node.attrs.values()
        if isinstance(value, Graph | str)
    )


@functools.cache
def verified_matrix(
    device: DeviceInfo, precisions: frozenset[str] = frozenset({"tf32", "float16"})
) -> DeviceInfo:
    """The device, with those of its matrix instructions for the precisions that a small product came out exactly
    right with."""
    able, refused = settle(device, precisions, lambda _, one, precision: refusal(one, precision))
    for instruction, reason in refused.items():
        say(1, f"{device}: matrix instruction {instruction} is not used: {reason}")
    return able


def settle(
    device: DeviceInfo, precisions: Iterable[str], tried: Callable[[str, DeviceInfo, str], str]
) -> tuple[DeviceInfo, dict[str, str]]:
    """The device, with those of its matrix instructions for the precisions that are right, and why others are not.

    tried(instruction, device with it alone, precision that asks for it): see refusal.
    """
    emulated = device.matrix & {"emulated"}
    kept, refused = emulated, {}
    for instruction, precision, besides in _ORDER:
        if instruction in device.matrix and precision in precisions and besides <= kept:
            one = dataclasses.replace(device, matrix=besides | {instruction} | emulated)
            reason = tried(instruction, one, precision)
            if reason:
                refused[instruction] = reason
            else:
                kept |= {instruction}
    return dataclasses.replace(device, matrix=kept, matrix_verified=kept > emulated), refused


def refusal(device: DeviceInfo, precision: str) -> str:
    """Why the one matrix instruction of the device is of no use, in words; "" if it is right."""
    try:
        return "" if multiplies_right(device, precision) else "it gives wrong products"
    except ClconvError as reason:
        return str(reason)


def multiplies_right(device: DeviceInfo, precision: str) -> bool:
    """A product of small integers, whose sums even half holds exactly: no rounding excuses a difference."""
    rng = np.random.default_rng(0)
    dtype = np.float16 if precision == "float16" else np.float32
    a, b = (rng.integers(-5, 6, shape).astype(dtype) for shape in ((45, 77), (77, 70)))
    node = make_node("MatMul", ["a", "b"], ["y"], "probe of matrix instructions")
    specs = {
        "a": TensorSpec.of(a),
        "b": TensorSpec.of(b),
        "y": TensorSpec((45, 70), TensorSpec.of(a).dtype),
    }
    graph = Graph("probe", (node,), ("a", "b"), ("y",), specs, {})
    found = outputs_of(graph, {"a": a, "b": b}, device, {"matmul": "matrix"}, precision)
    return bool(np.array_equal(found["y"], a.astype(np.float32) @ b.astype(np.float32)))

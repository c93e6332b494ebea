"""CLCONV_CHECK: runs a plan node by node and holds every result against the NumPy reference."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from clconv.errors import CheckError, InputError
from clconv.graph.evaluate import evaluate_node, evaluate_step
from clconv.graph.ir import Node
from clconv.graph.ops import hooks_of
from clconv.graph.ops.hooks import Half
from clconv.runtime.bound import BoundPlan

OnNode = Callable[[Node, str, float, str], None]  # node, output, relative error, variant

TOLERANCE = 1e-4  # largest error over the largest reference value, one node at a time
# Element-wise operators, never falling, that jump: a small error before one may be a whole step after it.
STEPPED = frozenset({"FakeQuantize", "Round", "Floor", "Ceil", "Sign"})
# Sums whose terms may cancel, as the gradient of a bias before a batch norm does: what is left is their rounding.
SUMS = frozenset({"ReduceSum", "ReduceMean"})
ROUNDING = 1e-6  # of the sum of the terms' absolute values


def relative_error(found: np.ndarray, expected: np.ndarray, least: float = 0.0) -> float:
    """Largest absolute difference over the largest finite expected value, or over `least` if that is larger; inf where
    NaN or infinity stand in one but not in the other."""
    if found.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind != "f":
        return 0.0 if np.array_equal(found, expected) else float("inf")
    if not expected.size:
        return 0.0
    wide, reference = found.astype(np.float64), expected.astype(np.float64)
    usual = np.isfinite(reference)
    if not np.array_equal(wide[~usual], reference[~usual], equal_nan=True):
        return float("inf")
    if not np.isfinite(wide[usual]).all():
        return float("inf")
    if not usual.any():
        return 0.0
    scale = max(float(np.abs(reference[usual]).max()), least) or 1.0
    return float(np.abs(wide[usual] - reference[usual]).max()) / scale


def checked_run(
    bound: BoundPlan, feeds: Mapping[str, np.ndarray], on_node: OnNode | None = None
) -> dict[str, np.ndarray]:
    """Like BoundPlan.run, node by node. on_node gets every result; without it CheckError at the first
    node that differs."""

    def stop(node: Node, output: str, error: float, variant: str) -> None:
        if not error <= TOLERANCE:
            raise CheckError(
                f"node '{node.name}' ({node.op}, variant {variant}): output '{output}' differs from "
                f"the reference by {error:.3g} of its largest value on {bound.device.info}"
            )

    for row in node_errors(bound, feeds):
        (on_node or stop)(*row)
    with bound.lock:
        return bound.outputs()


def node_errors(
    bound: BoundPlan, feeds: Mapping[str, np.ndarray]
) -> Iterator[tuple[Node, str, float, str]]:
    """(node, output, relative error, variant) of every node, each fed what the device computed before."""
    plan = bound.plan
    values: dict[str, np.ndarray] = {n: c.array for n, c in plan.graph.constants.items()}
    values.update({name: feeds[name] for name in plan.graph.fed})
    done = 0

    def launch_until(end: int) -> None:
        nonlocal done
        for launch in bound.launches[done:end]:
            bound.queue.launch(*launch)
        done = end

    with bound.lock, _finished(bound):
        for name in plan.graph.fed:
            bound.queue.write(bound.buffer(name), feeds[name], wait=True)
        values.update({name: fetched(bound, name) for name in plan.graph.state})
        for node, end in zip(plan.graph.nodes, plan.lowered.ends, strict=True):
            launch_until(end)
            arrays = _widened(node, [values[n] if n else None for n in node.inputs])
            stepped = any(step.op in STEPPED for step in node.epilogue)
            try:
                expected = evaluate_node(node, arrays)
            except (
                InputError
            ) as reason:  # an index that lies outside; kernels clamp it, or leave it out
                raise CheckError(f"node '{node.name}': {reason}") from None
            for name, reference in zip(node.outputs, expected, strict=False):
                if name in plan.lowered.late:  # made later or not at all; who reads it is compared
                    values[name] = reference
                elif name:
                    values[name] = fetched(bound, name)
                    if stepped and name == node.outputs[0]:
                        reference = nearest_allowed(node, arrays, values[name])
                    choice = plan.lowered.choices[node.name].variant.name
                    yield node, name, _error(values[name], reference, _least(node, arrays)), choice
        launch_until(len(bound.launches))


def fetched(bound: BoundPlan, name: str) -> np.ndarray:
    """A value as it lies now, converted to its logical shape (waits for the queue)."""
    spec = bound.plan.lowered.specs[name]
    array = np.empty(spec.layout.physical(spec.shape), spec.dtype.numpy)
    if not spec.size:
        return np.empty(spec.shape, spec.dtype.numpy)
    bound.queue.read(array, bound.buffer(name), wait=True)
    if spec.layout.is_plain:
        return array
    batch, channels, *spatial = spec.shape
    merged = np.moveaxis(array, -1, 2).reshape(batch, -1, *spatial)
    return np.ascontiguousarray(merged[:, :channels])


@contextlib.contextmanager
def _finished(bound: BoundPlan) -> Iterator[None]:
    """Waits for all launches at the end, an error's too: who stops half way lets go of the memory that they use."""
    try:
        yield
    finally:
        bound.queue.finish()


def _widened(node: Node, arrays: list[np.ndarray | None]) -> list[np.ndarray | None]:
    """A node's inputs with halves as float32, in which the kernels compute."""
    if hooks_of(node).half is Half.EXACT:
        return arrays
    return [a.astype(np.float32) if a is not None and a.dtype == np.float16 else a for a in arrays]


def nearest_allowed(
    node: Node, arrays: Sequence[np.ndarray | None], found: np.ndarray
) -> np.ndarray:
    """Of the results that a node with STEPPED steps may have, the one nearest to what was found.

    Before such a step a value may be off by TOLERANCE, as everywhere. Which side of a step's edge it is on then, and
    so the result, is between what the least and the largest such value give.
    """
    plain = dataclasses.replace(node, epilogue=())
    low = high = evaluate_node(plain, arrays)[0]
    for step in node.epilogue:
        if step.op in STEPPED:
            finite = np.abs(low[np.isfinite(low)])
            slack = low.dtype.type(TOLERANCE * finite.max(initial=0))
            low, high = low - slack, high + slack
        ends = [evaluate_step(step, end, arrays) for end in (low, high)]
        low, high = np.minimum(*ends), np.maximum(*ends)
    return np.where(np.isnan(found), low, np.clip(found, low, high))


def _least(node: Node, arrays: Sequence[np.ndarray | None]) -> float:
    """The value that TOLERANCE of is no more than what rounding leaves of a sum whose terms cancel."""
    if node.op not in SUMS or node.epilogue or arrays[0] is None or arrays[0].dtype.kind != "f":
        return 0.0
    size = evaluate_node(node, [np.abs(arrays[0]), *arrays[1:]])[0]
    return ROUNDING / TOLERANCE * float(size[np.isfinite(size)].max(initial=0))


def _error(found: np.ndarray, expected: np.ndarray, least: float = 0.0) -> float:
    """The relative error, less what rounding the result to float16 explains."""
    if found.dtype != np.float16:
        return relative_error(found, expected, least)
    with np.errstate(over="ignore"):
        rounded = expected.astype(np.float16)
    return max(0.0, relative_error(found, np.where(np.isinf(rounded), rounded, expected)) - 2**-11)

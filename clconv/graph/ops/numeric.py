"""What many operators share: wide accumulation, checks of axes and dtypes, index checks, costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from clconv.errors import InputError, NeedsValue
from clconv.graph.ir import DType, Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, CostRule

KINDS = {"float": "f", "int": "iu", "number": "fiu", "bool": "b", "any": "fiub"}


def widen(x: np.ndarray) -> np.ndarray:
    """Floats as float64, integers and bool as int64, so that sums are exact or nearly so."""
    if x.dtype.kind == "f":
        return x.astype(np.float64)
    return x if x.dtype == np.uint64 else x.astype(np.int64)


def converted(x: np.ndarray, dtype: Any) -> np.ndarray:
    """x in another dtype, by one rule on every device and platform.

    Floats become integers by cutting towards zero; what lies outside ends at the limits of the dtype, NaN is 0. Integers
    keep their low bits, as ONNX has it. Anything becomes bool as "not zero".
    """
    target = np.dtype(dtype)
    if x.dtype.kind != "f" or target.kind not in "iu":
        with np.errstate(over="ignore"):  # what is too large for a narrower float is infinite
            return x.astype(target)
    limits, wide = np.iinfo(target), x.astype(np.float64)
    high, low = wide >= float(limits.max), wide <= float(limits.min)
    inside = np.where(high | low | np.isnan(wide), 0, wide).astype(target)
    ends = np.where(high, target.type(limits.max), target.type(limits.min))
    return np.asarray(np.where(high | low, ends, inside))


def expect_kind(call: Call, index: int, kind: str) -> DType:
    """The dtype of an input; ShapeError unless it is of a kind in KINDS ("float", "int", ...)."""
    dtype = call.spec(index).dtype
    call.expect(
        dtype.numpy.kind in KINDS[kind], f"input {index} must be {kind}, it is {dtype.value}"
    )
    return dtype


def expect_index(call: Call, index: int) -> None:
    """ShapeError unless the input is int32 or int64, as indices, axes and shapes are."""
    dtype = call.spec(index).dtype
    call.expect(
        dtype in (DType.INT32, DType.INT64),
        f"input {index} must be int64 or int32, it is {dtype.value}",
    )


def index_values(call: Call, index: int) -> tuple[int, ...]:
    """The value of a constant vector (or scalar) of integers; ShapeError for anything else."""
    expect_index(call, index)
    call.expect(call.spec(index).rank <= 1, f"input {index} must be a vector")
    return call.ints(index)


def one_value(call: Call, index: int) -> Any:
    """The one element of a constant input; ShapeError if it holds more or less than one."""
    call.expect(call.spec(index).size == 1, f"input {index} must hold one value")
    return call.value(index).reshape(-1)[0].item()


def known_axes(call: Call, axes: Iterable[int], rank: int) -> tuple[int, ...]:
    """Possibly negative axes as 0..rank-1, in the given order; ShapeError if impossible."""
    axes = tuple(int(a) for a in axes)
    found = tuple(call.axis(a, rank) for a in axes)
    call.expect(len(set(found)) == len(found), f"axes {axes} name an axis twice")
    return found


def check_indices(what: str, indices: np.ndarray, limit: int) -> np.ndarray:
    """Possibly negative indices as 0..limit-1; InputError for one outside -limit..limit-1."""
    bad = (indices < -limit) | (indices >= limit)
    if bad.any():
        raise InputError(
            f"{what}: index {indices[bad].reshape(-1)[0]} is outside -{limit}..{limit - 1}"
        )
    return np.where(indices < 0, indices + limit, indices).astype(np.int64)


def check_constant_indices(call: Call, index: int, limit: int) -> None:
    """ShapeError if an index that is known already lies outside -limit..limit-1."""
    values = call.values[index]
    if values is not None and values.size:
        low, high = int(values.min()), int(values.max())
        call.expect(
            -limit <= low and high < limit, f"indices {low}..{high} leave -{limit}..{limit - 1}"
        )


def check_element_indices(call: Call) -> None:
    """ShapeError unless input 1 can say, for elements that it has along each axis, where on `axis` of input 0 they are."""
    x, indices = call.spec(0), call.spec(1)
    expect_index(call, 1)
    axis = call.axis(call.attrs.axis, x.rank)
    call.expect(indices.rank == x.rank, f"indices of rank {indices.rank} for data of rank {x.rank}")
    fits = all(
        n <= d for i, (n, d) in enumerate(zip(indices.shape, x.shape, strict=True)) if i != axis
    )
    call.expect(fits, f"indices {indices.shape} do not fit {x.shape} outside axis {axis}")
    check_constant_indices(call, 1, x.shape[axis])


def moved_bytes(inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> int:
    """Bytes of every input and output, each once."""
    return sum(s.nbytes for s in (*inputs, *outputs) if s is not None)


def move_cost(
    node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
) -> Cost:
    """Cost of an operator that only moves data: what it writes, and as much read."""
    return Cost(0, 2 * sum(s.nbytes for s in outputs))


def per_input(flops: int) -> CostRule:
    """Cost of an operator that does so many operations for each element of its first input."""

    def cost(
        node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
    ) -> Cost:
        first = inputs[0]
        return Cost(flops * (first.size if first else 0), moved_bytes(inputs, outputs))

    return cost


def data_dependent(call: Call, reference: Callable[..., Any]) -> list[TensorSpec]:
    """Specs of an operator whose output shape depends on data: computed if every input is known.

    Raises NeedsValue naming the first input that is not; the operator then runs on the host.
    """
    for i, value in enumerate(call.values):
        if call.has(i) and value is None:
            raise NeedsValue(call.node.name, i, call.node.inputs[i])
    results = reference(call.attrs, *call.values)
    return [TensorSpec.of(r) for r in (results if isinstance(results, tuple) else (results,))]


def true_places(found: np.ndarray) -> np.ndarray:
    """np.flatnonzero of bools; where few are true, eight at a time first."""
    flat = np.ascontiguousarray(found).reshape(-1)
    if 16 * np.count_nonzero(flat) > len(flat):
        return np.flatnonzero(flat)
    whole = len(flat) // 8 * 8
    words = flat[:whole].view(np.uint64)
    some = np.flatnonzero(words != 0)
    inside = np.flatnonzero(words[some].view(np.bool_))
    return np.concatenate(
        [some[inside >> 3] * 8 + (inside & 7), whole + np.flatnonzero(flat[whole:])]
    )

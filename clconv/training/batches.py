"""Examples: inputs and targets, whole and in batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import TensorSpec

Data = np.ndarray | Mapping[str, np.ndarray]
Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclasses.dataclass(frozen=True)
class Batch:
    """Examples. Axis 0 of every array counts them."""

    inputs: Mapping[str, np.ndarray]
    targets: np.ndarray | None

    @property
    def size(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def shapes(self) -> Shapes:
        """Of the inputs, by name."""
        return tuple((name, array.shape) for name, array in self.inputs.items())

    def take(self, which: np.ndarray | slice) -> Batch:
        targets = None if self.targets is None else np.ascontiguousarray(self.targets[which])
        return Batch({n: np.ascontiguousarray(a[which]) for n, a in self.inputs.items()}, targets)


def batches(
    whole: Batch, size: int, order: Sequence[int] | np.ndarray | None = None
) -> Iterator[Batch]:
    """The examples, `size` at a time, in the given order; the last batch may be smaller."""
    if size < 1:
        raise InputError(f"a batch has at least one example, not {size}")
    for start in range(0, whole.size, size):
        if order is None:
            yield whole.take(slice(start, start + size))
        else:
            yield whole.take(np.asarray(order[start : start + size]))


def conform_data(specs: Mapping[str, TensorSpec], x: Data, y: np.ndarray | None) -> Batch:
    """Examples as arrays that the inputs take. Raises InputError that says what does not fit."""
    if isinstance(x, Iterator) or callable(x):
        raise InputError(
            f"x is a {type(x).__name__}; it takes all examples as an array, or as a dict of arrays by name. For a stream of "
            "batches call step(x, y) with each"
        )
    given = dict(x) if isinstance(x, Mapping) else _single(specs, x)
    if set(given) != set(specs):
        raise InputError(f"x has {sorted(given)}; the network takes {list(specs)}")
    inputs = {name: _conform(name, specs[name], given[name]) for name in specs}
    counts = {name: len(array) for name, array in inputs.items()}
    targets = None if y is None else _array("y", y)
    if targets is not None:
        if targets.ndim == 0 or targets.dtype.kind not in "biuf":
            raise InputError(
                f"y is {targets.dtype.name} of {targets.shape}; targets are numbers, one or more an example"
            )
        counts["y"] = len(targets)
    if len(set(counts.values())) != 1:
        raise InputError(f"different numbers of examples: {counts}")
    if not next(iter(counts.values())):
        raise InputError("there are no examples")
    return Batch(inputs, targets)


def part_off(whole: Batch, part: float) -> tuple[Batch, Batch]:
    """The examples without the last part of them, and that part. Raises InputError where one would be empty."""
    count = round(whole.size * part)
    if not 0 < count < whole.size:
        raise InputError(
            f"validation_data={part} of {whole.size} examples leaves {count} to measure and {whole.size - count} to learn"
        )
    return whole.take(slice(0, whole.size - count)), whole.take(slice(whole.size - count, None))


def _single(specs: Mapping[str, TensorSpec], x: np.ndarray) -> dict[str, np.ndarray]:
    if len(specs) != 1:
        raise InputError(f"the network takes several inputs: give x as a dict of {list(specs)}")
    return {next(iter(specs)): x}


def _conform(name: str, spec: TensorSpec, value: np.ndarray) -> np.ndarray:
    array = _array(f"input '{name}'", value)
    if array.dtype.kind not in "biuf":
        raise InputError(f"input '{name}' takes {spec}, got {array.dtype.name}")
    wanted = spec.shape[1:]
    fits = array.ndim == spec.rank and all(
        not isinstance(d, int) or d == n for d, n in zip(wanted, array.shape[1:], strict=False)
    )
    if not fits:
        first = (*array.shape[-1:], *array.shape[1:-1])
        turned = array.ndim == spec.rank > 2 and first == wanted
        hint = "; its channels are last: np.moveaxis(x, -1, 1)" if turned else ""
        raise InputError(f"input '{name}' takes {spec}, got shape {array.shape}{hint}")
    return np.ascontiguousarray(array, spec.dtype.numpy)


def _array(what: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as reason:  # the last of PyTorch's tensors
        raise InputError(f"{what} is no array: {reason}") from None

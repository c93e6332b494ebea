"""Arrays of any number of rows, run in batches of a model's size, and given back as they came."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import TensorSpec
from clconv.records import record
from clconv.session.inputs import conform
from clconv.session.spread import in_order

Arrays = dict[str, Any]  # NumPy's, or DeviceArrays
Run = Callable[[Arrays], Arrays]
Item = Any  # an array, or arrays by input name

# Rows at a time where the model leaves the batch open: more gains little, and a session splits those that do not fit
# into a CPU's cache.
OPEN_BATCH = 16


@record(frozen=True)
class _Batch:
    """feeds: as the model takes them. rows: how many of them were asked for; the others are copies of the last. whole:
    whether they are one item and no more."""

    feeds: Arrays
    rows: int
    whole: bool


@record(frozen=True)
class _Part:
    """Some rows of an item that all go into one batch."""

    feeds: Arrays
    rows: int
    whole: bool

    @property
    def kind(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of one row: those of a batch have the same."""
        return tuple(array.shape[1:] for array in self.feeds.values())


def check_batch(specs: Mapping[str, TensorSpec], batch: int | None = None) -> tuple[int, bool]:
    """How many rows the model takes at a time, and whether it takes no other number.

    batch: what the caller asks for, None for what suits the model. Raises InputError for a model whose inputs have no
    common batch axis, or another batch than that.
    """
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        raise InputError(f"a batch is a number of rows from 1, not {batch!r}")
    scalars = [name for name, spec in specs.items() if spec.rank == 0]
    if scalars or not specs:
        raise InputError(f"run_batches() needs inputs with a batch axis; {scalars} have no axes")
    fixed = {name: s.shape[0] for name, s in specs.items() if isinstance(s.shape[0], int)}
    if len(set(fixed.values())) > 1 or 0 in fixed.values():
        raise InputError(f"the inputs have no common batch: {fixed}; use run()")
    if not fixed:
        return batch or OPEN_BATCH, False
    name, size = next(iter(fixed.items()))
    if batch is not None and batch != size:
        raise InputError(f"input '{name}' takes {specs[name]}: the batch is fixed at {size}")
    return int(size), True


def run_batches(
    runs: Sequence[Run],
    specs: Mapping[str, TensorSpec],
    items: Iterable[Item],
    batch: int | None = None,
) -> Iterator[Arrays]:
    """Arrays by output name for each item, as many rows as it has, in order. See Session.run_batches().

    runs: what computes one batch, for each device one; specs: of the inputs.
    """
    size, fixed = check_batch(specs, batch)
    if isinstance(items, Mapping | str | bytes) or not isinstance(items, Iterable):
        raise InputError(
            f"run_batches() takes an iterable of arrays or of dicts, got {type(items).__name__}; a single one: [x]"
        )
    return _results(runs, specs, items, size, fixed)


def run_joined(run: Run, items: Sequence[Arrays], size: int) -> list[Arrays]:
    """Arrays by output name for each item, after one run of all of them as a batch of `size` rows.

    items: checked arrays by input name, with rows of the same shapes and together at most `size` of them; the batch is
    filled up with copies of the last. Raises what run does, InputError for outputs that are no rows.
    """
    counts = [len(next(iter(item.values()))) for item in items]
    parts = [_Part(item, count, True) for item, count in zip(items, counts, strict=True)]
    outputs, _ = _cutting(run)(_filled(parts, size, True))
    if len(items) == 1:
        return [outputs]
    begins = itertools.accumulate(counts, initial=0)
    return [_rows(outputs, begin, count) for begin, count in zip(begins, counts, strict=False)]


def _results(
    runs: Sequence[Run],
    specs: Mapping[str, TensorSpec],
    items: Iterable[Item],
    size: int,
    fixed: bool,
) -> Iterator[Arrays]:
    owed: collections.deque[int] = collections.deque()  # rows of the items whose results are due
    parts: list[tuple[Arrays, int]] = []  # results of the first of them, so far
    have = 0
    workers = [_cutting(run) for run in runs]
    for _, (outputs, rows) in in_order(workers, _batches(specs, items, size, fixed, owed)):
        begin = 0
        while begin < rows:
            count = min(owed[0] - have, rows - begin)
            whole = count == rows == owed[0]
            parts.append((outputs if whole else _rows(outputs, begin, count), count))
            have, begin = have + count, begin + count
            if have == owed[0]:
                owed.popleft()
                yield _joined([part for part, _ in parts])
                parts, have = [], 0


def _cutting(run: Run) -> Callable[[_Batch], tuple[Arrays, int]]:
    """Runs a batch and leaves out the rows that only filled it."""

    def cut(batch: _Batch) -> tuple[Arrays, int]:
        outputs = run(batch.feeds)
        rows = len(next(iter(batch.feeds.values())))
        if batch.whole and rows == batch.rows:
            return outputs, rows
        for name, array in outputs.items():
            if array.ndim == 0 or len(array) != rows:
                raise InputError(
                    f"output '{name}' has shape {array.shape} for a batch of {rows}: its rows are not those of the "
                    "inputs, so it cannot be divided; pass items of the model's batch (batch=1 and single rows), or use run()"
                )
        return _rows(outputs, 0, batch.rows), batch.rows

    return cut


def _batches(
    specs: Mapping[str, TensorSpec],
    items: Iterable[Item],
    size: int,
    fixed: bool,
    owed: collections.deque[int],
) -> Iterator[_Batch]:
    """Batches of `size` rows; what is short goes alone where the shape of a row changes, and at the end."""
    held: list[_Part] = []
    count = 0
    for number, item in enumerate(items):
        feeds = _conformed(specs, item, number)
        rows = len(next(iter(feeds.values())))
        owed.append(rows)
        begin = 0
        while begin < rows:
            take = min(size - count, rows - begin)
            part = _Part(_rows(feeds, begin, take), take, take == rows)
            if held and part.kind != held[0].kind:
                yield _filled(held, size, fixed)
                held, count = [], 0
                continue
            held.append(part)
            count, begin = count + take, begin + take
            if count == size:
                yield _filled(held, size, fixed)
                held, count = [], 0
    if held:
        yield _filled(held, size, fixed)


def _conformed(specs: Mapping[str, TensorSpec], item: Item, number: int) -> Arrays:
    """An item's arrays, with a batch axis. Raises InputError that names the item."""
    opened = {n: dataclasses.replace(s, shape=(None, *s.shape[1:])) for n, s in specs.items()}
    if not isinstance(item, Mapping):
        if len(specs) != 1:
            raise InputError(
                f"item {number}: the model takes {', '.join(specs)}; pass a dict of arrays by name"
            )
        item = {next(iter(specs)): item}
    item = _on_host(item)
    try:
        if all(n in specs and np.ndim(a) == specs[n].rank - 1 for n, a in item.items()):
            item = {name: np.asarray(array)[np.newaxis] for name, array in item.items()}
        feeds = conform(opened, item)
    except InputError as reason:
        raise InputError(f"item {number}: {reason}") from None
    counts = {name: len(array) for name, array in feeds.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise InputError(f"item {number}: needs rows, as many for each input, and has {counts}")
    return feeds


def _filled(held: list[_Part], size: int, fixed: bool) -> _Batch:
    rows = sum(part.rows for part in held)
    feeds = _joined([part.feeds for part in held])
    if fixed and rows < size:
        feeds = {
            name: np.concatenate([array, np.repeat(array[-1:], size - rows, axis=0)])
            for name, array in feeds.items()
        }
    return _Batch(feeds, rows, len(held) == 1 and held[0].whole)


def _rows(arrays: Arrays, begin: int, count: int) -> Arrays:
    return {
        name: array.rows(begin, count) if _lies_on_device(array) else array[begin : begin + count]
        for name, array in arrays.items()
    }


def _joined(parts: list[Arrays]) -> Arrays:
    if len(parts) == 1:
        return parts[0]
    return {name: _concatenated([part[name] for part in parts]) for name in parts[0]}


def _concatenated(parts: list[Any]) -> Any:
    first = parts[0]
    return first.joined(parts) if _lies_on_device(first) else np.concatenate(parts)


def _lies_on_device(array: Any) -> bool:
    return getattr(array, "lies_on_device", False)


def _on_host(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item with copies of what lies on the device."""
    if all(isinstance(array, np.ndarray | list | tuple) for array in item.values()):
        return item
    from clconv.session.elsewhere import as_host  # loads OpenCL, as whoever has such arrays did

    return as_host(item)

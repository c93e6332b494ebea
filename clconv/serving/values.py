"""The "data" of a JSON request: numbers in a flat list in row-major order, or in lists nested as the shape says."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from clconv.graph.ir import DType
from clconv.serving.datatypes import NAMES
from clconv.serving.refused import bad

_KINDS: dict[str, set[type]] = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float}}
_WORDS = {"b": "true and false", "i": "whole numbers", "u": "whole numbers", "f": "numbers"}


def values_of(name: str, data: Any, shape: tuple[int, ...], dtype: DType) -> np.ndarray:
    """The array. name: of the input, for the error. Raises Refused for other than so many numbers of this type."""
    if not isinstance(data, list):
        raise bad(f"input '{name}': data is a list of numbers, not {type(data).__name__}")
    flat, nested = _flattened(name, data)
    count = math.prod(shape)
    if len(flat) != count:
        raise bad(
            f"input '{name}': the shape {list(shape)} needs {count} values, data has {len(flat)}"
        )
    if len(nested) > 1 and nested != shape:
        raise bad(f"input '{name}': data is nested as {list(nested)}, the shape says {list(shape)}")
    return _converted(name, flat, dtype).reshape(shape)


def _flattened(name: str, data: list[Any]) -> tuple[list[Any], tuple[int, ...]]:
    """What is in lists of lists, and their lengths; no array is made of what may be no numbers."""
    lengths = [len(data)]
    while data and set(map(type, data)) == {list}:
        inner = set(map(len, data))
        if len(inner) > 1:
            raise bad(
                f"input '{name}': the lists in data have different lengths; send a flat list, or nest it as the shape says"
            )
        lengths.append(inner.pop())
        data = list(itertools.chain.from_iterable(data))
    return data, tuple(lengths)


def _converted(name: str, flat: list[Any], dtype: DType) -> np.ndarray:
    kind = dtype.numpy.kind
    if not set(map(type, flat)) <= _KINDS[kind]:
        raise bad(f"input '{name}': {NAMES[dtype]} takes {_WORDS[kind]} as data")
    if kind in "iu" and flat:
        limits = np.iinfo(dtype.numpy)
        if min(flat) < limits.min or max(flat) > limits.max:
            raise bad(f"input '{name}': {NAMES[dtype]} takes {limits.min} to {limits.max} as data")
    if kind != "f":
        return np.array(flat, dtype.numpy)
    try:
        exact = np.array(flat, np.float64)
        with np.errstate(over="ignore"):
            found = exact.astype(dtype.numpy)
        overflows = not np.array_equal(np.isinf(found), np.isinf(exact))
    except OverflowError:  # a whole number beyond every float
        overflows = True
    if overflows:
        raise bad(f"input '{name}': a value is too large for {NAMES[dtype]}")
    return found

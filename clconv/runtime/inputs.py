"""Checks what a user passes to run() against the model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import TensorSpec


def conform(
    specs: Mapping[str, TensorSpec], feeds: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Contiguous arrays for exactly the model's inputs.

    Raises InputError with the input's name and what it takes: for missing or unknown names, another dtype,
    another rank, or a size that differs from a declared one.
    """
    if not isinstance(feeds, Mapping):
        raise InputError(f"takes a mapping from input name to array, got {type(feeds).__name__}")
    unknown = sorted(set(feeds) - set(specs))
    missing = sorted(set(specs) - set(feeds))
    if unknown or missing:
        takes = ", ".join(f"'{n}': {s}" for n, s in specs.items())
        raise InputError(f"inputs {unknown} unknown, {missing} missing; the model takes {takes}")
    bound: dict[str, int] = {}
    return {name: _conform_one(name, spec, feeds[name], bound) for name, spec in specs.items()}


def _conform_one(name: str, spec: TensorSpec, value: Any, bound: dict[str, int]) -> np.ndarray:
    array = _as_array(name, spec, value)
    if array.dtype.name != spec.dtype.value:
        raise InputError(
            f"input '{name}' takes {spec.dtype.value}, got {array.dtype.name}; "
            f"convert it with .astype('{spec.dtype.value}')"
        )
    if array.ndim != spec.rank:
        raise InputError(f"input '{name}' takes {spec}, got shape {array.shape}")
    for wanted, size in zip(spec.shape, array.shape, strict=True):
        if isinstance(wanted, str):
            wanted = bound.setdefault(wanted, size)
        if wanted is not None and wanted != size:
            raise InputError(
                f"input '{name}' takes {spec}, got shape {array.shape}{_why(spec, bound)}"
            )
    # Contiguous, and in this machine's byte order, which the dtype's name does not tell.
    return np.asarray(array, spec.dtype.numpy, order="C")


def _as_array(name: str, spec: TensorSpec, value: Any) -> np.ndarray:
    """What has no dtype of its own (a number, nested lists) takes the input's, if nothing is lost."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as reason:
        raise InputError(f"input '{name}' takes {spec}, got no array: {reason}") from None
    if not hasattr(value, "dtype") and np.can_cast(array.dtype, spec.dtype.numpy, "same_kind"):
        try:
            return np.asarray(value, spec.dtype.numpy)
        except (ValueError, OverflowError) as reason:
            raise InputError(f"input '{name}' takes {spec}: {reason}") from None
    return array


def _why(spec: TensorSpec, bound: Mapping[str, int]) -> str:
    """The sizes that names in the spec stand for in this run."""
    known = [f"{d} = {bound[d]}" for d in dict.fromkeys(spec.shape) if d in bound]
    return f" where {', '.join(known)}" if known else ""

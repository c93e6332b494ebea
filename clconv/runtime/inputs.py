"""Checks what a user passes to run() against the model's inputs."""

from __future__ import annotations

from collections.abc import Mapping

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
    unknown = sorted(set(feeds) - set(specs))
    missing = sorted(set(specs) - set(feeds))
    if unknown or missing:
        takes = ", ".join(f"'{n}': {s}" for n, s in specs.items())
        raise InputError(f"inputs {unknown} unknown, {missing} missing; the model takes {takes}")
    bound: dict[str, int] = {}
    return {name: _conform_one(name, spec, feeds[name], bound) for name, spec in specs.items()}


def _conform_one(
    name: str, spec: TensorSpec, value: np.ndarray, bound: dict[str, int]
) -> np.ndarray:
    array = np.ascontiguousarray(value) if np.ndim(value) else np.asarray(value)
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
            raise InputError(f"input '{name}' takes {spec}, got shape {array.shape}")
    return array

"""Inputs for those who only want to see a network run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from clconv.graph.ir import TensorSpec


def random_feeds(
    specs: Mapping[str, TensorSpec], shapes: Mapping[str, Sequence[int]]
) -> dict[str, np.ndarray]:
    """Seeded inputs of these shapes: floats in 0..1, small integers, random booleans."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, spec in specs.items():
        values = rng.random(tuple(shapes[name]))
        if spec.dtype.value == "bool":
            arrays[name] = values < 0.5
        else:
            high = 1 if spec.dtype.is_float else 8
            arrays[name] = np.asarray(values * high, spec.dtype.numpy)
    return arrays

"""Constant nodes: the value, in whichever of its attributes it stands."""

from __future__ import annotations

import numpy as np

from clconv.frontend.onnx.build import Source


def constant_value(source: Source) -> np.ndarray:
    """The value of a Constant node in any of its forms."""
    if len(source.attrs) != 1:
        source.fail(f"must have exactly one value, has {sorted(source.attrs)}")
    form, value = next(iter(source.attrs.items()))
    if form in ("value", "sparse_value"):
        return np.asarray(value)
    if form in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    if form in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    source.unsupported(f"{form}: text is not supported")

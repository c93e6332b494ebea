"""Sparse tensors, written out: values at indices, zeros elsewhere."""

from __future__ import annotations

import math

import numpy as np
import onnx

from clconv.errors import ModelError
from clconv.frontend.onnx.reading.files import Origin
from clconv.frontend.onnx.reading.tensors import read_tensor

_MOST_BYTES = 1 << 30  # written out: a few bytes may say a tensor of any size


def read_sparse(sparse: onnx.SparseTensorProto, name: str, origin: Origin) -> np.ndarray:
    """The dense tensor. Indices are those of elements in row-major order, or one row of coordinates each.

    Raises ModelError where values, indices and dims do not agree or the tensor is too large, and what read_tensor
    does.
    """
    what = f"{origin.label}: sparse tensor '{name}'"
    shape = tuple(sparse.dims)
    values = read_tensor(sparse.values, name, origin)
    if any(d < 0 for d in shape):
        raise ModelError(f"{what} has a negative size: {shape}")
    size = math.prod(shape)
    if size * values.itemsize > _MOST_BYTES:
        raise ModelError(
            f"{what} of shape {shape} has {size * values.itemsize:,} bytes written out, more than {_MOST_BYTES:,}"
        )
    given = sparse.indices if sparse.HasField("indices") else None
    if given is None:
        indices = np.zeros((0,), np.int64)
    else:
        indices = read_tensor(given, f"{name}/indices", origin)
    if indices.dtype != np.int64:
        raise ModelError(f"{what}: indices must be int64, they are {indices.dtype.name}")
    count = values.size
    if values.ndim != 1 or indices.shape not in ((count,), (count, len(shape))):
        raise ModelError(
            f"{what} of shape {shape}: values of shape {values.shape} and indices of shape {indices.shape} do not "
            "fit; indices are (count) or (count, rank)"
        )
    bounds = np.array([size] if indices.ndim == 1 else shape, np.int64)
    if ((indices < 0) | (indices >= bounds)).any():
        raise ModelError(f"{what} of shape {shape}: an index is outside of it")
    dense = np.zeros(shape, values.dtype)
    if indices.ndim == 1:
        dense.reshape(-1)[indices] = values
    else:
        dense[tuple(indices.T)] = values
    return dense

"""Weights of networks by name: given from outside, and taken out again. Names are those of PyTorch's state_dict."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from clconv.errors import InputError, ShapeError
from clconv.graph.ir import Constant, Graph
from clconv.graph.parameters import parameter_names, statistic_names
from clconv.store.tensors import read_tensors

Weights = Mapping[str, Any] | str | os.PathLike[str]

# What PyTorch counts and inference does not need.
_COUNTER = "num_batches_tracked"
PATHS = "state_dict_names"  # in a graph's metadata: constant -> its name in PyTorch's state_dict


def state_dict(graph: Graph) -> dict[str, np.ndarray]:
    """Parameters and running statistics by name, copies.

    The name is the path that PyTorch gives the same layers: "0.weight" for the first of a Sequential, "features.0.bias"
    inside one that is named. In a graph that was not built by hand it is the constant's own.
    """
    paths: Mapping[str, str] = graph.metadata.get(PATHS, {})
    slopes = {node.inputs[1] for node in graph.nodes if node.op == "PRelu"}
    found = {}
    for name in _held(graph):
        array = graph.constants[name].array
        found[paths.get(name, name)] = array.reshape(-1) if name in slopes else array.copy()
    return found


def load_state_dict(graph: Graph, weights: Weights, strict: bool = True) -> Graph:
    """The graph with these weights in the place of its own.

    weights: arrays (or PyTorch's tensors) by name, or the path of a .safetensors file. Names are the graph's own
    ("conv2d_1.weight") or PyTorch's (see state_dict). strict: whether every weight must be given, and none besides;
    without it others stay as they are. Raises InputError for names, ShapeError for shapes that do not fit.
    """
    given = Given(weights)
    paths: Mapping[str, str] = graph.metadata.get(PATHS, {})
    changed: dict[str, Constant] = {}
    missing = []
    for name in _held(graph):
        held = graph.constants[name]
        array = given.take((name, paths.get(name, name)), held.spec.shape)
        if array is None:
            missing.append(paths.get(name, name))
        else:
            changed[name] = Constant(array.astype(held.spec.dtype.numpy))
    if strict:
        given.check_all(missing, graph.name)
    elif not changed:
        raise InputError(f"weights: none of {given.listed()} is of '{graph.name}'")
    return graph.replace(constants={**graph.constants, **changed})


class Given:
    """Weights from outside, and which of them a network has taken."""

    def __init__(self, weights: Weights) -> None:
        if isinstance(weights, str | os.PathLike):
            weights = read_tensors(weights)[0]
        if not isinstance(weights, Mapping):
            raise InputError(
                f"weights are arrays by name or the path of a .safetensors file, not {type(weights).__name__}"
            )
        self._arrays = {str(name): _as_array(str(name), value) for name, value in weights.items()}
        self._taken: set[str] = set()

    def take(self, names: Iterable[str], shape: tuple[int, ...]) -> np.ndarray | None:
        """The weight of the first of these names, in this shape; None if there is none. Raises ShapeError."""
        for name in names:
            if name in self._arrays:
                self._taken.add(name)
                return _fitted(name, self._arrays[name], shape)
        return None

    def check_all(self, missing: Iterable[str], network: str) -> None:
        """Raises InputError if the network has weights that were not given, or does not have some that were."""
        counters = {n for n in self._arrays if n.rpartition(".")[2] == _COUNTER}
        unknown = sorted(self._arrays.keys() - self._taken - counters)
        lacking = list(missing)
        if unknown or lacking:
            raise InputError(
                f"weights for '{network}': {_listed(lacking)} missing, {_listed(unknown)} unknown; names are those of "
                "state_dict(), and load_state_dict(..., strict=False) takes what fits"
            )

    def listed(self) -> str:
        return _listed(self._arrays)


def _held(graph: Graph) -> tuple[str, ...]:
    """Parameters and statistics in the order in which the nodes read them."""
    names = {*parameter_names(graph), *statistic_names(graph)}
    return tuple(dict.fromkeys(n for node in graph.nodes for n in node.inputs if n in names))


def _as_array(name: str, value: Any) -> np.ndarray:
    """A tensor of PyTorch may need a gradient, or lie elsewhere."""
    for method in ("detach", "cpu"):
        value = getattr(value, method, lambda value=value: value)()
    try:
        array = np.asarray(value)
    except Exception as reason:
        raise InputError(f"weights: '{name}' is no array: {reason}") from reason
    if array.dtype.kind not in "fiu":
        raise InputError(f"weights: '{name}' holds {array.dtype}, not numbers")
    return array


def _fitted(name: str, array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape == shape:
        return array
    # PyTorch keeps a PRelu's slopes in a row: one for all channels, or one each.
    if array.ndim == 1 < len(shape) and set(shape[1:]) == {1} and array.size in (1, shape[0]):
        return np.broadcast_to(array.reshape(-1, *[1] * (len(shape) - 1)), shape)
    raise ShapeError(f"weights: '{name}' has the shape {array.shape}, the layer takes {shape}")


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - 12} more" if len(found) > 12 else ""
    return f"[{', '.join(found[:12])}{more}]"

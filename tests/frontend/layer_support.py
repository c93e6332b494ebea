"""Runs networks of clconv.layers on the reference."""

from __future__ import annotations

import numpy as np

from clconv.frontend import layers
from clconv.frontend.layers import (
    summary,
)
from clconv.graph.ir import Graph
from clconv.graph.reference import run_reference
from clconv.graph.summary import totals


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-1, 1, (1, *shape)).astype(np.float32)


def run(graph: Graph, x: np.ndarray) -> np.ndarray:
    """The network's result, after checking that it has the shape that was inferred."""
    result = run_reference(graph, {"input": x})["output"]
    assert result.shape == graph.specs["output"].shape
    assert np.isfinite(result).all()
    return result


def volume(layer: layers.Layer, *shape: int) -> tuple[int, ...]:
    """What a layer makes of a volume, both inferred and run."""
    return run(layer.build(shape), image(*shape)).shape[1:]


def parameters(graph: Graph) -> int:
    return totals(summary(graph))[0]

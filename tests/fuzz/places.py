"""Where in a model something can be changed: graphs, nodes, names, lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx

from tests.fuzz.seeds import Seed
from tests.fuzz.values import pick

Rng = np.random.Generator

Nodes = Any  # a repeated field of NodeProto


def graphs(model: onnx.ModelProto) -> list[onnx.GraphProto]:
    """The graph and all subgraphs."""

    def inside(nodes: Nodes) -> Iterator[onnx.GraphProto]:
        for node in nodes:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    yield attribute.g
                    yield from inside(attribute.g.node)

    return [model.graph, *inside(model.graph.node)]


def node_lists(model: onnx.ModelProto) -> list[Nodes]:
    """Where nodes are: graphs and functions."""
    return [*(g.node for g in graphs(model)), *(f.node for f in model.functions)]


def any_node(seed: Seed, rng: Rng) -> tuple[Nodes, int] | None:
    lists = [nodes for nodes in node_lists(seed.model) if len(nodes)]
    if not lists:
        return None
    nodes = pick(rng, lists)
    return nodes, int(rng.integers(len(nodes)))


def names_in(model: onnx.ModelProto) -> list[str]:
    found: dict[str, None] = {}
    for graph in graphs(model):
        found.update((v.name, None) for v in (*graph.input, *graph.initializer))
    for nodes in node_lists(model):
        for node in nodes:
            found.update((n, None) for n in (*node.input, *node.output))
    return list(found)


def change_list(values: Any, fresh: Any, rng: Rng) -> None:
    """One entry replaced, added or taken away."""
    way = rng.integers(4)
    if way == 0 or not len(values):
        values.append(fresh)
    elif way == 1:
        del values[-1]
    else:
        values[int(rng.integers(len(values)))] = fresh

"""How a network wants its pictures, and what its classes are called: kept in the file, so that `clconv run` knows."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from clconv.cli.pixels import Pixels
from clconv.graph.ir import Graph

_KEY = "clconv.pictures"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """pixels: how bytes become values. labels: names of the classes."""

    pixels: Pixels
    labels: tuple[str, ...]


def with_recipe(graph: Graph, recipe: Recipe) -> Graph:
    """The graph with what `clconv run` has to know in its metadata."""
    pixels = recipe.pixels
    text = json.dumps(
        {
            "scale": pixels.scale, "mean": pixels.mean, "std": pixels.std, "margin": pixels.margin,
            "labels": recipe.labels,
        }
    )  # fmt: skip
    custom = {**graph.metadata.get("custom", {}), _KEY: text}
    return graph.replace(metadata={**graph.metadata, "custom": custom})


def recipe_of(graph: Graph) -> Recipe | None:
    """What the file says about its pictures; None if nothing that makes sense."""
    try:
        found = json.loads(graph.metadata.get("custom", {})[_KEY])
        pixels = Pixels(
            _number(found["scale"]),
            _numbers(found["mean"]),
            _numbers(found["std"]),
            _number(found["margin"]),
        )
        labels = tuple(str(label) for label in found["labels"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return Recipe(pixels, labels) if min((*pixels.std, pixels.scale, pixels.margin)) > 0 else None


def _number(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(value)
    return found


def _numbers(values: Sequence[Any] | Mapping[str, Any]) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) not in (1, 3, 4):
        raise ValueError(values)
    return tuple(_number(v) for v in values)

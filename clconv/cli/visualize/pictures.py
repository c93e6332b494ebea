"""The pictures that a network is shown, read as `clconv run` reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clconv.api import read_model
from clconv.cli.feeds import PictureOptions, check_feeds, read_feeds
from clconv.cli.pictures.listing import check_pictures, pictures
from clconv.cli.pixels import Pixels, channels_come_first, from_tensor, is_classifier
from clconv.cli.recipe import recipe_of
from clconv.errors import InputError
from clconv.graph.ir import Graph


@dataclasses.dataclass(frozen=True)
class Shown:
    """tensors: (1, channels, height, width) each, as the network takes them."""

    graph: Graph
    tensors: list[np.ndarray]
    pixels: Pixels

    def seen(self, number: int) -> np.ndarray:
        """A picture as the network sees it, back in bytes: (height, width[, channels])."""
        return np.asarray(from_tensor(self.tensors[number], self.pixels))


def listed(given: Sequence[Path]) -> list[Path]:
    """The pictures named and those in the folders named, in the order of `clconv run`.
    Raises InputError for files that are none."""
    paths = [Path(path) for path in pictures([str(path) for path in given])]
    check_pictures(paths)
    return paths


def read_all(model: str, paths: Sequence[Path], size: tuple[int, int] | None) -> Shown:
    """Raises InputError for a network that takes no picture as (batch, channels, height, width)."""
    graph = read_model(model)
    specs = graph.input_specs()
    recipe = recipe_of(graph)
    outputs = {n: graph.metadata.get("output_specs", {}).get(n) for n in graph.outputs}
    known = None if recipe is None else recipe.pixels
    options = PictureOptions(
        layout="nchw", size=size, classifier=is_classifier(outputs), known=known
    )
    if len(specs) != 1:
        raise InputError(f"'{graph.name}' takes {', '.join(specs)}; only one picture can be shown")
    ((name, spec),) = specs.items()
    if spec.rank == 4 and not channels_come_first(spec, "auto"):
        raise InputError(
            f"input '{name}' takes {spec}, channels last; only networks that take them first can be shown"
        )
    check_feeds(specs, [str(path) for path in paths], options)
    feeds = [read_feeds(specs, [str(path)], options) for path in paths]
    tensors = [next(iter(feed.arrays.values())) for feed in feeds]
    return Shown(graph, tensors, feeds[0].pixels or Pixels(1 / 255))

"""What layers see: filters of the first convolution, and feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clconv.api import Source, read_model
from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.graph.epilogue import without_epilogues
from clconv.runtime.device import choose_device
from clconv.session.session import Session
from clconv.visualize.objective import value_of


def first_filters(model: Source) -> np.ndarray:
    """The weights (filters, channels, height, width) of the first 2-D convolution. Raises InputError without one."""
    graph = read_model(model)
    for node in graph.nodes:
        weights = graph.constants.get(node.inputs[1]) if node.op == "Conv" else None
        if weights is not None and weights.spec.rank == 4:
            return np.asarray(weights.array)
    raise InputError(f"'{graph.name}' has no 2-D convolution with known filters")


def levels(model: Source) -> list[str]:
    """An early, a middle and a late convolution, by name. Raises InputError without any."""
    convolutions = [n.name for n in read_model(model).nodes if n.op == "Conv"]
    if not convolutions:
        raise InputError("the model has no convolution; name layers")
    last = len(convolutions) - 1
    return list(dict.fromkeys(convolutions[i] for i in (0, last // 2, last)))


def feature_maps(
    model: Source,
    picture: np.ndarray,
    layers: Sequence[str],
    *,
    device: str | int | DeviceInfo | None = None,
) -> dict[str, np.ndarray]:
    """What layers answer to an input: by the given names, each in its own shape (batch, channels, height, width).

    layers: names of nodes or of the values they make. Raises InputError for one that there is not.
    """
    graph = without_epilogues(read_model(model))
    if len(graph.fed) != 1:
        raise InputError(f"'{graph.name}' takes {', '.join(graph.fed)}; one input is wanted")
    values = {layer: value_of(graph, layer) for layer in layers}
    wanted = graph.replace(outputs=tuple(dict.fromkeys(values.values())))
    found = Session(wanted, choose_device(device)).run({graph.fed[0]: picture})
    return {layer: found[value] for layer, value in values.items()}

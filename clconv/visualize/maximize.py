"""What neurons look for: the input that maximises one, found by gradient ascent.

Method: Erhan, Bengio, Courville and Vincent, "Visualizing Higher-Layer Features of a Deep Network" (2009); jitter and
smoothing against noise as in Mordvintsev, Olah and Tyka, "Inceptionism" (2015), and Yosinski et al. (2015).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clconv.api import Source, read_model
from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.graph.derivatives import gradients
from clconv.graph.epilogue import without_epilogues
from clconv.graph.ir import Graph, TensorSpec
from clconv.runtime.device import choose_device
from clconv.session.session import Session
from clconv.visualize.objective import channel_mean, value_of

_OPEN_SIZE = 224


def maximize(
    model: Source,
    layer: str,
    channel: int,
    *,
    steps: int = 128,
    rate: float = 0.08,
    jitter: int = 4,
    smoothing: float = 0.3,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    device: str | int | DeviceInfo | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """The input (channels, height, width) for which a channel of a layer answers most, on average over its places, found by
    gradient ascent from noise around 0.

    layer: the name of a node or of a value it makes. rate: how far each step goes, in parts of the input's deviation.
    jitter: by how many pixels the picture is moved at random before each step. smoothing: how much each step blends
    neighbours, 0 to 1. size: (height, width) where the model leaves it open.

    Raises InputError for a layer or channel that there is not, ModelError for a model that cannot be read or has
    operators without a gradient.
    """
    graph = without_epilogues(read_model(model))
    name, spec = _input(graph, size)
    value = value_of(graph, layer)
    session = Session(_ascent(graph, name, spec, value, channel), choose_device(device))
    rng = np.random.default_rng(seed)
    picture = rng.standard_normal(spec.shape).astype(np.float32) * 0.1
    for step in range(steps):
        dy, dx = rng.integers(-jitter, jitter + 1, 2) if jitter else (0, 0)
        moved = np.roll(picture, (dy, dx), (2, 3))
        found = session.run({name: np.ascontiguousarray(moved)}, [f"{name}.grad"])[f"{name}.grad"]
        slope = found / (found.std() + 1e-8)
        moved = _smoothed(moved + np.float32(rate) * slope, smoothing)
        picture = np.roll(moved, (-dy, -dx), (2, 3))
        progress(step + 1, steps)
    return picture[0]


def _input(graph: Graph, size: tuple[int, int] | None) -> tuple[str, TensorSpec]:
    specs = graph.input_specs()
    if len(specs) != 1 or next(iter(specs.values())).rank != 4:
        raise InputError(
            f"'{graph.name}' takes {', '.join(f'{n}: {s}' for n, s in specs.items())}; only a picture (batch, channels, "
            "height, width) can be looked for"
        )
    name, spec = next(iter(specs.items()))
    sides = size or (_OPEN_SIZE, _OPEN_SIZE)
    known = [d if isinstance(d, int) else s for d, s in zip(spec.shape[2:], sides, strict=True)]
    channels = spec.shape[1] if isinstance(spec.shape[1], int) else 3
    return name, TensorSpec((1, channels, *known), spec.dtype)


def _ascent(graph: Graph, name: str, spec: TensorSpec, value: str, channel: int) -> Graph:
    """The gradient of a channel's mean with respect to the input."""
    return gradients(*channel_mean(graph, {name: spec}, value, channel), [name])


def _smoothed(picture: np.ndarray, amount: float) -> np.ndarray:
    """Each pixel and the mean of its four neighbours, blended."""
    if not amount:
        return picture
    padded = np.pad(picture, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    around = (
        padded[..., :-2, 1:-1]
        + padded[..., 2:, 1:-1]
        + padded[..., 1:-1, :-2]
        + padded[..., 1:-1, 2:]
    )
    return ((1 - amount) * picture + amount / 4 * around).astype(picture.dtype)

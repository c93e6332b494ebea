"""Which parts of a picture an answer depends on.

saliency: Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks" (2013). class_activation_map: Selvaraju
et al., "Grad-CAM" (2017). occlusion: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2014).
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
from clconv.graph.specialise.specialise import specialise
from clconv.runtime.device import choose_device
from clconv.session.session import Session
from clconv.visualize.objective import channel_mean, logits_of, value_of

Device = str | int | DeviceInfo | None


def best_class(model: Source, picture: np.ndarray, *, device: Device = None) -> int:
    """The channel of the network's output with the largest mean."""
    graph, specs = _prepared(model, picture)
    value = logits_of(graph)
    session = Session(graph.replace(outputs=(value,), specs=specs), choose_device(device))
    found = session.run({graph.fed[0]: picture})[value]
    if found.ndim < 2:
        raise InputError(f"'{value}' has the shape {found.shape} and no channels")
    return int(found[0].reshape(found.shape[1], -1).mean(1).argmax())


def saliency(
    model: Source, picture: np.ndarray, target: int, *, device: Device = None
) -> np.ndarray:
    """How much an answer changes with each pixel (height, width): the largest size of its gradient over the channels.

    picture: (1, channels, height, width), as the network takes it. target: a class, or a channel of the output, whose
    mean counts. Raises InputError for another target, UnsupportedError for operators without a gradient.
    """
    graph, specs = _prepared(model, picture)
    name = graph.fed[0]
    whole = gradients(*channel_mean(graph, specs, logits_of(graph), target), [name])
    slope = Session(whole, choose_device(device)).run({name: picture}, [f"{name}.grad"])
    return np.asarray(np.abs(slope[f"{name}.grad"][0]).max(axis=0))


def class_activation_map(
    model: Source,
    picture: np.ndarray,
    target: int,
    *,
    layer: str | None = None,
    device: Device = None,
) -> np.ndarray:
    """Where a layer (the last one with places, unless named) sees what speaks for a class: (height, width) of that layer.

    The layer's channels, each weighted by the mean over its places of the answer's gradient, summed and cut at zero.
    Raises what saliency() raises.
    """
    graph, specs = _prepared(model, picture)
    value = _last_with_places(graph, specs) if layer is None else value_of(graph, layer)
    whole, objective = channel_mean(graph, specs, logits_of(graph), target)
    whole = gradients(whole.replace(outputs=(*whole.outputs, value)), objective, [value])
    names = [value, f"{value}.grad"]
    found = Session(whole, choose_device(device)).run({graph.fed[0]: picture}, names)
    maps, slopes = (found[n][0] for n in names)
    if maps.ndim != 3:
        raise InputError(f"layer '{value}' has the shape {found[value].shape} and no places")
    return np.asarray(np.maximum(np.einsum("c,chw->hw", slopes.mean(axis=(1, 2)), maps), 0))


def occlusion(
    model: Source,
    picture: np.ndarray,
    target: int,
    *,
    size: int = 32,
    stride: int = 16,
    fill: float = 0.0,
    device: Device = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """By how much an answer falls when a square is covered: (rows, columns), one value a position of the square.

    size: the square's side in pixels. stride: how far it moves; the last position ends at the picture's edge. fill: the
    value it is filled with, as the network takes it (0 is the mean colour where means are subtracted).
    """
    if size < 1 or stride < 1:
        raise InputError(f"size {size} and stride {stride}: both are at least 1")
    graph, specs = _prepared(model, picture)
    whole, (objective,) = channel_mean(graph, specs, logits_of(graph), target)
    session = Session(whole, choose_device(device))

    def answer(seen: np.ndarray) -> float:
        return float(session.run({graph.fed[0]: seen})[objective].reshape(()))

    before = answer(picture)
    tops, lefts = (_positions(side, size, stride) for side in picture.shape[2:])
    found = np.zeros((len(tops), len(lefts)), np.float32)
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            covered = picture.copy()
            covered[:, :, top : top + size, left : left + size] = fill
            found[i, j] = before - answer(covered)
            progress(i * len(lefts) + j + 1, found.size)
    return found


def _positions(side: int, size: int, stride: int) -> list[int]:
    last = max(0, side - size)
    return sorted({*range(0, last + 1, stride), last})


def _prepared(model: Source, picture: np.ndarray) -> tuple[Graph, dict[str, TensorSpec]]:
    graph = without_epilogues(read_model(model))
    if len(graph.fed) != 1 or picture.ndim != 4 or picture.shape[0] != 1:
        raise InputError(
            f"'{graph.name}' takes {', '.join(graph.fed)}, the picture has the shape {picture.shape}; one input and "
            "one picture (1, channels, height, width) are wanted"
        )
    return graph, {graph.fed[0]: TensorSpec.of(picture)}


def _last_with_places(graph: Graph, specs: dict[str, TensorSpec]) -> str:
    known = specialise(graph, specs).graph.specs
    for node in reversed(graph.nodes):
        spec = known.get(node.outputs[0])
        if spec is not None and spec.rank == 4 and min(spec.shape[2:]) > 1:
            return node.outputs[0]
    raise InputError(f"'{graph.name}' has no layer with places; name one")

"""The patches of pictures that a channel answers most to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from clconv.api import Source, read_model
from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.graph.epilogue import without_epilogues
from clconv.runtime.device import choose_device
from clconv.session.session import Session
from clconv.visualize.objective import value_of
from clconv.visualize.receptive import receptive_field


@dataclasses.dataclass(frozen=True)
class Patch:
    """picture: its number. box: top, left, bottom, right (the last two exclusive) in the network's input."""

    picture: int
    answer: float
    box: tuple[int, int, int, int]


def best_patches(
    model: Source,
    pictures: Sequence[np.ndarray],
    layer: str,
    channels: Sequence[int],
    *,
    count: int = 5,
    device: str | int | DeviceInfo | None = None,
) -> dict[int, list[Patch]]:
    """By channel the patches with the largest answers, largest first; of each picture the same number
    of places, as few as make `count`.

    pictures: (1, channels, height, width) each, as the network takes them. Raises InputError for a layer or channel
    that there is not, or a layer without places.
    """
    graph = without_epilogues(read_model(model))
    field = receptive_field(graph, layer)
    value = value_of(graph, layer)
    session = Session(graph.replace(outputs=(value,)), choose_device(device))
    each = -(-count // max(1, len(pictures)))
    found: dict[int, list[Patch]] = {channel: [] for channel in channels}
    for number, picture in enumerate(pictures):
        maps = session.run({graph.fed[0]: picture})[value]
        if maps.ndim != 4:
            raise InputError(f"layer '{value}' has the shape {maps.shape} and no places")
        for channel in channels:
            if not 0 <= channel < maps.shape[1]:
                raise InputError(f"layer '{value}' has {maps.shape[1]} channels, not {channel}")
            answers = maps[0, channel]
            for place in np.argsort(-answers, axis=None, kind="stable")[:each]:
                row, column = (int(i) for i in np.unravel_index(place, answers.shape))
                box = field.box(row, column, *picture.shape[2:])
                found[channel].append(Patch(number, float(answers[row, column]), box))
    return {c: sorted(p, key=lambda patch: -patch.answer)[:count] for c, p in found.items()}

"""The views of `clconv visualize`: each computed by clconv.visualize and drawn into a file."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from clconv import visualize
from clconv.cli.progress import Status, steps
from clconv.cli.visualize.figures import heat, tiles
from clconv.cli.visualize.pictures import Shown
from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.graph.epilogue import without_epilogues
from clconv.graph.ir import TensorSpec
from clconv.visualize.objective import channel_mean, logits_of, value_of

_MOST_MAPS, _CHANNELS, _PATCHES = 32, 6, 6


@dataclasses.dataclass
class Inside:
    """What is asked for. target: the class, None for the likeliest."""

    shown: Shown
    folder: Path
    device: DeviceInfo
    named: Sequence[str] | None
    target: int | None
    neurons: Sequence[tuple[str, int]]

    def check(self, wanted: Sequence[str]) -> None:
        """Raises InputError for layers, channels and classes that there are not: before any work."""
        graph = without_epilogues(self.shown.graph)
        specs = {graph.fed[0]: TensorSpec.of(self._picture)}
        for layer in self.named or ():
            value_of(graph, layer)
        for layer, channel in self.neurons:
            channel_mean(graph, specs, value_of(graph, layer), channel)
        if self.target is not None:
            try:
                channel_mean(graph, specs, logits_of(graph), self.target)
            except InputError as reason:
                raise InputError(f"--class {self.target}: {reason}") from None
        if "filters" in wanted:
            visualize.first_filters(graph)

    def make(self, wanted: Sequence[str]) -> Iterator[Path]:
        """Makes each view; yields the files."""
        for view in wanted:
            with steps(f"drawing {view}") as shown:
                files = list(getattr(self, f"_{view}")(shown))
            yield from files  # behind the bar
        for layer, channel in self.neurons:
            with steps(f"maximising {layer}") as shown:
                file = self._maximized(layer, channel, shown)
            yield file

    def _maximized(self, layer: str, channel: int, shown: Status) -> Path:
        found = visualize.maximize(
            self.shown.graph, layer, channel, size=self._picture.shape[2:], device=self.device,
            progress=lambda done, total: shown.count(f"maximising {layer}", done, total),
        )  # fmt: skip
        picture = visualize.as_picture(found)
        path = self._path(f"maximize_{layer}_{channel}")
        title = f"the input that maximises channel {channel} of {layer}"
        return tiles(path, [_plain(picture)], [""], 1, title)

    @property
    def _picture(self) -> np.ndarray:
        return self.shown.tensors[0]

    @functools.cached_property
    def _layers(self) -> list[str]:
        return list(self.named or visualize.levels(self.shown.graph))

    @functools.cached_property
    def _class(self) -> int:
        if self.target is not None:
            return self.target
        return visualize.best_class(self.shown.graph, self._picture, device=self.device)

    def _path(self, name: str) -> Path:
        """Names of layers come from the model: only letters, digits, dots and dashes of them become a file's."""
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name)[:100]}.png"

    def _filters(self, shown: Status) -> Iterator[Path]:
        filters = visualize.first_filters(self.shown.graph)
        if filters.shape[1] == 3:
            pictures = [visualize.as_picture(f) for f in filters[:64]]
        else:
            pictures = [f[0] for f in filters[:64]]
        title = f"{len(pictures)} of {len(filters)} filters {filters.shape[1:]} of the first layer"
        yield tiles(self._path("filters"), pictures, list(map(str, range(64))), 8, title)

    def _features(self, shown: Status) -> Iterator[Path]:
        graph = self.shown.graph
        found = visualize.feature_maps(graph, self._picture, self._layers, device=self.device)
        for layer, maps in found.items():
            if maps.ndim != 4:
                maps = maps.reshape(1, 1, 1, -1)
            strongest = _strongest(maps[0], _MOST_MAPS)
            title = f"{layer}: {len(strongest)} of {maps.shape[1]} feature maps"
            pictures = [maps[0, channel] for channel in strongest]
            yield tiles(
                self._path(f"features_{layer}"), pictures, list(map(str, strongest)), 8, title
            )

    def _patches(self, shown: Status) -> Iterator[Path]:
        graph, tensors = self.shown.graph, self.shown.tensors
        for layer in self._layers:
            maps = visualize.feature_maps(graph, self._picture, [layer], device=self.device)[layer]
            channels = _strongest(maps[0], _CHANNELS)
            found = visualize.best_patches(
                graph, tensors, layer, channels, count=_PATCHES, device=self.device
            )
            pictures, titles = [], []
            for channel, patches in found.items():
                for patch in patches:
                    top, left, bottom, right = patch.box
                    pictures.append(self.shown.seen(patch.picture)[top:bottom, left:right])
                    titles.append(f"{channel}: {patch.answer:.2f}")
            columns = max(map(len, found.values()))
            title = f"{layer}: patches that channels answer most to, a row a channel"
            yield tiles(self._path(f"patches_{layer}"), pictures, titles, columns, title)

    def _occlusion(self, shown: Status) -> Iterator[Path]:
        side = min(self._picture.shape[2:])
        size = max(1, side // 6)
        found = visualize.occlusion(
            self.shown.graph, self._picture, self._class, size=size, stride=max(1, size // 2),
            device=self.device,
            progress=lambda done, total: shown.count("covering squares", done, total),
        )  # fmt: skip
        title = f"class {self._class}: by how much its score falls when a square of {size} pixels is covered"
        yield heat(self._path("occlusion"), self.shown.seen(0), found, title)

    def _saliency(self, shown: Status) -> Iterator[Path]:
        found = visualize.saliency(self.shown.graph, self._picture, self._class, device=self.device)
        title = f"class {self._class}: saliency, how much its score changes with each pixel"
        yield heat(self._path("saliency"), self.shown.seen(0), found, title)

    def _cam(self, shown: Status) -> Iterator[Path]:
        found = visualize.class_activation_map(
            self.shown.graph, self._picture, self._class, device=self.device
        )
        title = f"class {self._class}: class activation map (Grad-CAM)"
        yield heat(self._path("cam"), self.shown.seen(0), found, title)


def _strongest(maps: np.ndarray, count: int) -> list[int]:
    """The channels with the largest answers anywhere, in their order."""
    largest = maps.reshape(len(maps), -1).max(axis=1)
    return sorted(int(c) for c in np.argsort(-largest, kind="stable")[:count])


def _plain(picture: np.ndarray) -> np.ndarray:
    return picture[:, :, 0] if picture.shape[2] == 1 else picture

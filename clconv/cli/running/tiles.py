"""A picture that is larger than a network's input: cut into tiles that overlap, and the results put together again."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import TensorSpec

# Of neighbouring tiles, in pixels of the input: a quarter of a tile, but at least this where tiles are small.
_LEAST_OVERLAP = 48
# Maps coarser than this are features of objects, not a picture of the picture.
_COARSEST = Fraction(1, 8)


def dense_scale(
    spec: TensorSpec, outputs: Mapping[str, TensorSpec | None], channels_first: bool
) -> Fraction | None:
    """Pixels of the coarsest output for one of the input's, along each axis, if every output is a map of a picture input
    of fixed size; else None. Such networks upscale, denoise, segment, or estimate depth."""
    axes = (2, 3) if channels_first else (1, 2)
    known = [s for s in outputs.values() if s is not None and s.rank == 4]
    if spec.rank != 4 or not known or len(known) != len(outputs):
        return None
    inside = [spec.shape[axis] for axis in axes]
    scales = set()
    for output in known:
        for axis, size in zip(axes, inside, strict=True):
            made = output.shape[axis]
            if not isinstance(size, int) or not isinstance(made, int) or size < 1:
                return None
            scales.add(Fraction(made, size))
    # Two outputs may differ, the two axes of one may not.
    if len(scales) > len(known) or min(scales) < _COARSEST:
        return None
    return min(scales)


@dataclasses.dataclass(frozen=True)
class Tiling:
    """Where the tiles lie in a picture, in pixels of the input.

    picture, tile: (height, width). tops, lefts: where tiles begin; the last ones may reach beyond the picture, whose
    border is then repeated. step: what cuts between tiles are multiples of, so that they meet between output pixels.
    """

    picture: tuple[int, int]
    tile: tuple[int, int]
    tops: tuple[int, ...]
    lefts: tuple[int, ...]
    step: int
    channels_first: bool

    @property
    def count(self) -> int:
        return len(self.tops) * len(self.lefts)

    def __str__(self) -> str:
        (height, width), (tall, wide) = self.picture, self.tile
        tiles = f"{self.count} tile{'s' * (self.count > 1)}"
        return f"{height}x{width} pixels as {tiles} of {tall}x{wide}"

    @property
    def _axes(self) -> tuple[int, int]:
        return (2, 3) if self.channels_first else (1, 2)

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The tiles, along axis 0 and row by row, of a picture of one image."""
        needed = (self.tops[-1] + self.tile[0], self.lefts[-1] + self.tile[1])
        more = [(0, 0)] * 4
        for axis, size, end in zip(self._axes, self.picture, needed, strict=True):
            more[axis] = (0, max(0, end - size))
        whole = np.pad(array, more, mode="edge")
        return np.concatenate(
            [whole[self._at(top, left, *self.tile)] for top, left in self._places()]
        )

    def join(self, tiles: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The whole outputs: each tile gives its middle, up to half of what it shares with its neighbours."""
        return {name: self._joined(name, array) for name, array in tiles.items()}

    def _joined(self, name: str, tiles: np.ndarray) -> np.ndarray:
        scales = [Fraction(tiles.shape[a], s) for a, s in zip(self._axes, self.tile, strict=True)]
        if tiles.ndim != 4 or len(tiles) != self.count or scales[0] != scales[1]:
            raise InputError(
                f"output '{name}' of shape {tiles.shape} is no map of {self.count} tiles"
            )
        scale = scales[0]
        rows, columns = (
            _cuts(self.tops, self.tile[0], self.step),
            _cuts(self.lefts, self.tile[1], self.step),
        )
        shape = list(tiles.shape)
        shape[0] = 1
        for axis, cuts in zip(self._axes, (rows, columns), strict=True):
            shape[axis] = int(cuts[-1] * scale)
        whole = np.empty(shape, tiles.dtype)
        for number, (top, left) in enumerate(self._places()):
            i, j = self.tops.index(top), self.lefts.index(left)
            box = (rows[i], columns[j], rows[i + 1] - rows[i], columns[j + 1] - columns[j])
            inside = (box[0] - top, box[1] - left, *box[2:])
            part = tiles[number : number + 1][self._at(*(int(v * scale) for v in inside))]
            whole[self._at(*(int(v * scale) for v in box))] = part
        height, width = (math.ceil(size * scale) for size in self.picture)
        return np.ascontiguousarray(whole[self._at(0, 0, height, width)])

    def _places(self) -> Iterator[tuple[int, int]]:
        return ((top, left) for top in self.tops for left in self.lefts)

    def _at(self, top: int, left: int, height: int, width: int) -> tuple[slice, ...]:
        box = (slice(top, top + height), slice(left, left + width))
        return (slice(None), slice(None), *box) if self.channels_first else (slice(None), *box)


def tiling(
    picture: tuple[int, int], tile: tuple[int, int], scale: Fraction, channels_first: bool
) -> Tiling:
    """Tiles of a size for a picture. scale: as dense_scale() gives it."""
    step = scale.denominator
    tops, lefts = (_begins(p, t, step) for p, t in zip(picture, tile, strict=True))
    return Tiling(picture, tile, tops, lefts, step, channels_first)


def _begins(size: int, tile: int, step: int) -> tuple[int, ...]:
    if size <= tile:
        return (0,)
    overlap = max(tile // 4, min(_LEAST_OVERLAP, tile // 2))
    stride = max(step, (tile - overlap) // step * step)
    last = math.ceil((size - tile) / step) * step
    return (*range(0, last, stride), last)


def _cuts(begins: tuple[int, ...], tile: int, step: int) -> list[int]:
    """Where each tile's part begins, and where the last one ends."""
    middles = [
        (before + tile + after) // 2 // step * step for before, after in itertools.pairwise(begins)
    ]
    return [0, *middles, begins[-1] + tile]

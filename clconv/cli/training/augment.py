"""Pictures changed at random before a network sees them: what stays true however they are turned."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from clconv.cli.pictures.opening import pillow

if TYPE_CHECKING:
    from PIL import Image


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """crop: the least part of the area that is cut out (1: no crop). flip: mirrored, left to right, half of the time.
    jitter: how much brightness, contrast and saturation change, 0.2 for 0.8 to 1.2 times."""

    crop: float = 0.5
    flip: bool = True
    jitter: float = 0.2

    def apply(
        self, picture: Image.Image, size: tuple[int, int], rng: np.random.Generator
    ) -> Image.Image:
        """A picture of `size` (width, height): a random part of this one (area and aspect as in Szegedy et al., "Going
        Deeper with Convolutions", 2015), its colours changed a little."""
        image, _ = pillow()
        found = picture
        if self.crop < 1:
            box = self._box(picture.size, size, rng)
            found = picture.resize(size, image.Resampling.BILINEAR, box=box)
        if self.flip and rng.random() < 0.5:
            found = found.transpose(image.Transpose.FLIP_LEFT_RIGHT)
        return self._coloured(found, rng) if self.jitter else found

    def _box(
        self, whole: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
    ) -> tuple[float, float, float, float]:
        width, height = whole
        area = width * height * rng.uniform(self.crop, 1)
        aspect = size[0] / size[1] * math.exp(rng.uniform(-math.log(4 / 3), math.log(4 / 3)))
        w = min(width, math.sqrt(area * aspect))
        h = min(height, math.sqrt(area / aspect))
        left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
        return left, top, left + w, top + h

    def _coloured(self, picture: Image.Image, rng: np.random.Generator) -> Image.Image:
        from PIL import ImageEnhance

        for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            factor = rng.uniform(1 - self.jitter, 1 + self.jitter)
            picture = kind(picture).enhance(factor)
        return picture

"""Arrays as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def as_picture(found: np.ndarray) -> np.ndarray:
    """An input as bytes (height, width, channels): its mean becomes grey, three deviations reach black and white."""
    centred = (found - found.mean()) / (found.std() * 6 + 1e-8) + 0.5
    return (np.clip(centred, 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)


def grid(pictures: Sequence[np.ndarray], columns: int, border: int = 2) -> np.ndarray:
    """Pictures of one size (height, width, channels) side by side, white between them."""
    height, width, channels = pictures[0].shape
    rows = -(-len(pictures) // columns)
    shape = (rows * (height + border) + border, columns * (width + border) + border, channels)
    whole = np.full(shape, 255, np.uint8)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        top, left = border + row * (height + border), border + column * (width + border)
        whole[top : top + height, left : left + width] = picture
    return whole

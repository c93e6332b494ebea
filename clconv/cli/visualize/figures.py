"""Figures drawn by Matplotlib into PNG files."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clconv.debug import printable
from clconv.errors import ConfigError
from clconv.store.files import write


def check_matplotlib() -> None:
    """Raises ConfigError if it is not installed. Where its folders cannot be written it does without, and need not say so."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise ConfigError("clconv visualize needs Matplotlib: pip install 'clconv[viz]'") from None


def tiles(
    path: Path, pictures: Sequence[np.ndarray], titles: Sequence[str], columns: int, title: str
) -> Path:
    """Pictures (height, width[, channels]) in rows, a line above each."""
    from matplotlib.figure import Figure

    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(max(5, 1.3 * columns), 0.8 + 1.45 * rows), layout="constrained")
    for i, picture in enumerate(pictures):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(picture, cmap="gray" if picture.ndim == 2 else None)
        axes.set_title(titles[i], fontsize=7, parse_math=False)
        axes.set_axis_off()
    return _save(figure, path, title)


def heat(path: Path, picture: np.ndarray, values: np.ndarray, title: str) -> Path:
    """The picture, the values as colours, and both over each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    grey = picture if picture.ndim == 2 else picture.mean(axis=2)
    extent = (0, picture.shape[1], picture.shape[0], 0)
    spread = float(np.abs(values).max()) or 1.0
    signed = values.min() < 0
    colours: dict[str, Any] = {
        "cmap": "coolwarm" if signed else "inferno", "vmin": -spread if signed else 0, "vmax": spread,
        "extent": extent,
    }  # fmt: skip
    first, second, third = (figure.add_subplot(1, 3, i) for i in (1, 2, 3))
    first.imshow(picture, extent=extent, cmap="gray")
    drawn = second.imshow(values, **colours)
    figure.colorbar(drawn, ax=second, shrink=0.7)
    third.imshow(grey, cmap="gray", extent=extent)
    third.imshow(values, alpha=0.55, interpolation="bilinear", **colours)
    for axes in (first, second, third):
        axes.set_axis_off()
    return _save(figure, path, title)


def _save(figure: Any, path: Path, title: str) -> Path:
    figure.suptitle(printable(title), fontsize=9, parse_math=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    write(path, buffer.getvalue())
    return path

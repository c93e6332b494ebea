"""What a run gave, saved: as a picture, or as arrays."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clconv.cli.arrays import write_npy, write_npz
from clconv.cli.console import remark
from clconv.cli.files import check_writable
from clconv.cli.pictures.opening import pillow
from clconv.cli.pixels import PICTURE_CHANNELS, Pixels, check_channels, from_tensor
from clconv.errors import ConfigError, InputError
from clconv.graph.ir import TensorSpec
from clconv.store.files import write

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_WITHOUT_ALPHA = (".jpg", ".jpeg")


@dataclasses.dataclass(frozen=True)
class Target:
    """The file of --output: .npz for all outputs, .npy for the only one, a picture for the first that is one."""

    path: Path

    def __post_init__(self) -> None:
        if self._suffix not in (".npz", ".npy", *_PICTURES):
            raise ConfigError(
                f"--output {self.path}: .npz, .npy or a picture ({', '.join(_PICTURES)})"
            )
        check_writable(self.path, "--output")
        if self._suffix in _PICTURES:
            pillow()

    @property
    def _suffix(self) -> str:
        return self.path.suffix.lower()

    def check(self, specs: Mapping[str, TensorSpec | None], pixels: Pixels | None = None) -> None:
        """Raises ConfigError or InputError if outputs with these specs cannot be saved so, as far as they are known.
        pixels: as for save()."""
        if self._suffix == ".npy" and len(specs) != 1:
            raise ConfigError(f"{self.path}: the model has {len(specs)} outputs; save them as .npz")
        if self._suffix in _PICTURES and not any(map(_may_be_picture, specs.values())):
            listed = ", ".join(f"{name} {spec}" for name, spec in specs.items())
            raise InputError(
                f"{self.path}: the model makes no picture (1 x channels x height x width with 1, 3 or 4 channels), but "
                f"{listed}; save as .npz"
            )
        if self._suffix in _WITHOUT_ALPHA and any(map(_has_alpha, specs.values())):
            raise ConfigError(f"{self.path}: JPEG has no alpha, the output has; save it as .png")
        shown = next(filter(_may_be_picture, specs.values()), None)
        if self._suffix in _PICTURES and pixels is not None and shown and shown.is_static:
            check_channels(pixels, shown.shape)

    def save(self, outputs: Mapping[str, np.ndarray], pixels: Pixels) -> None:
        """pixels: how the values of a picture become bytes. Says on stderr what it left out."""
        if self._suffix == ".npz":
            for line in write_npz(self.path, outputs):
                remark(line)
        elif self._suffix == ".npy":
            write_npy(self.path, next(iter(outputs.values())))
        else:
            name = next((n for n, a in outputs.items() if _may_be_picture(a)), next(iter(outputs)))
            if len(outputs) > 1:
                remark(f"of {len(outputs)} outputs, '{name}' is saved as the picture")
            save_picture(from_tensor(outputs[name], pixels), self.path)


def save_picture(picture: Any, path: Path) -> None:
    """In the format of the path's ending. Raises InputError if that cannot hold the picture."""
    image_module, _ = pillow()
    kind = image_module.registered_extensions()[path.suffix.lower()]
    encoded = io.BytesIO()
    try:
        picture.save(encoded, format=kind)
    except (ValueError, OSError) as reason:
        if isinstance(reason, OSError) and reason.errno is not None:
            raise
        raise InputError(f"{path}: a picture of {picture.size} is not written: {reason}") from None
    write(path, encoded.getvalue())


def _may_be_picture(value: TensorSpec | np.ndarray | None) -> bool:
    if value is None:
        return True
    shape = value.shape
    if len(shape) != 4 or not _may_be(shape[0], (1,)):
        return False
    return _may_be(shape[1], PICTURE_CHANNELS) or _may_be(shape[3], PICTURE_CHANNELS)


def _has_alpha(spec: TensorSpec | None) -> bool:
    """Whether it is certain: the last axis decides only where the second cannot be one of channels."""
    if spec is None or spec.rank != 4 or not _may_be_picture(spec):
        return False
    return spec.shape[1] == 4 or (
        isinstance(spec.shape[1], int)
        and spec.shape[1] not in PICTURE_CHANNELS
        and spec.shape[3] == 4
    )


def _may_be(size: Any, wanted: tuple[int, ...]) -> bool:
    return not isinstance(size, int) or size in wanted

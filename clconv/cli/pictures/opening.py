"""Picture files as 8-bit pictures: what cannot be brought to 0..255 with certainty is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.cli.files import check_readable
from clconv.errors import ConfigError, InputError

if TYPE_CHECKING:
    from PIL import Image

_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262
_WHITE_IS_ZERO = 0
# Formats in which Pillow's 32-bit mode holds 16-bit values only: PNG in older versions, PGM brought to 0..65535.
_SIXTEEN_BITS_IN_I = ("PNG", "PPM")
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


@dataclasses.dataclass(frozen=True)
class OpenedPicture:
    """An 8-bit picture of mode L, RGB or RGBA, turned as its camera says. remarks: what was done to make it so."""

    image: Image.Image
    remarks: tuple[str, ...] = ()


def pillow() -> tuple[Any, Any]:
    """Pillow's Image and ImageOps; ConfigError if it is not installed."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ConfigError("pictures need Pillow: pip install 'clconv[images]'") from None
    return Image, ImageOps


def check_picture(path: Path, or_arrays: bool = False) -> None:
    """Raises what open_picture() raises, as far as the head of the file tells. or_arrays: whether files of arrays would do,
    too."""
    check_readable(path, "a picture")
    _decoded(path, lambda picture: _Source.of(path, picture), or_arrays)


def open_picture(path: Path) -> OpenedPicture:
    """The first picture of a file. Raises InputError if it is none, or its values have no known range."""
    check_readable(path, "a picture")

    def read(picture: Any) -> OpenedPicture:
        frames = getattr(picture, "n_frames", 1)
        several = frames > 1 and picture.format != "MPO"  # of a camera: the others are previews
        remarks = [f"the first of {frames} pictures"] if several else []
        source = _Source.of(path, picture)
        _, ops = pillow()
        image, how = _eight_bits(path, ops.exif_transpose(picture), source)
        return OpenedPicture(image, (*remarks, *how))

    opened: OpenedPicture = _decoded(path, read)
    return opened


def on_white(image: Image.Image) -> tuple[Image.Image, bool]:
    """The picture without its alpha, as it looks on a white page; whether that changed anything."""
    if image.mode != "RGBA":
        return image, False
    if image.getchannel("A").getextrema()[0] == 255:
        return image.convert("RGB"), False
    image_module, _ = pillow()
    page = image_module.new("RGBA", image.size, "white")
    return image_module.alpha_composite(page, image).convert("RGB"), True


def _decoded(path: Path, read: Any, or_arrays: bool = False) -> Any:
    image_module, _ = pillow()
    try:
        # Not by its path: Pillow then maps plain TIFF files, and takes the turned size for the stored one.
        with path.open("rb") as file, image_module.open(file, formats=_formats()) as picture:
            if min(picture.size) < 1:
                raise InputError(f"{path}: is a picture of {picture.width} x {picture.height}")
            return read(picture)
    except (InputError, MemoryError):
        raise
    except image_module.UnidentifiedImageError:
        others = ", and no .npy or .npz file" if or_arrays else ""
        raise InputError(f"{path}: is no picture that Pillow can read{others}") from None
    except Exception as reason:  # decoders raise whatever a damaged file leads to
        if isinstance(reason, OSError) and reason.errno is not None:
            raise
        lines = str(reason).splitlines() or [type(reason).__name__]
        raise InputError(f"{path}: cannot be read as a picture: {lines[0]}") from None


def _formats() -> list[str]:
    """All that Pillow reads by itself. For PostScript it would start Ghostscript, an interpreter, on the file; the
    others are drawings, which only a library of the system can draw."""
    image_module, _ = pillow()
    image_module.init()
    return [name for name in image_module.OPEN if name not in ("EPS", "WMF", "MPEG")]


@dataclasses.dataclass(frozen=True)
class _Source:
    """What only an unread file says of its values. largest: what white is in one channel of more than 8 bits. wide:
    whether its colours have 16 bits, of which Pillow keeps the upper 8."""

    largest: int
    white_is_zero: bool
    wide: bool

    @classmethod
    def of(cls, path: Path, picture: Any) -> _Source:
        """Raises InputError if there is more than one way to bring its values to 0..255."""
        tags = getattr(picture, "tag_v2", {})
        largest = 255
        if picture.mode.startswith("I;16"):
            bits = tags.get(_TIFF_BITS, (16,))
            largest = int(2 ** bits[0] - 1)
        elif picture.mode == "I" and picture.format in _SIXTEEN_BITS_IN_I:
            largest = 65535
        elif picture.mode in ("I", "F"):
            kind = "floats" if picture.mode == "F" else "32-bit integers"
            raise InputError(
                f"{path}: its values are {kind} (mode {picture.mode}) and have no known range; scale them to 8 or 16 "
                "bits, or pass them as a .npy file"
            )
        wide = any(";16" in str(part) for tile in picture.tile for part in tile)
        inverted = picture.mode.startswith("I") and tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO
        return cls(largest, inverted, wide)


def _eight_bits(path: Path, picture: Any, source: _Source) -> tuple[Any, list[str]]:
    """The picture in mode L, RGB or RGBA, and what was scaled."""
    mode, clear = picture.mode, picture.info.get("transparency")
    if mode.startswith("I") or mode == "F":
        return _scaled(picture, source)
    if mode == "RGB" and source.wide and isinstance(clear, tuple):
        picture.info["transparency"] = tuple(value >> 8 for value in clear)
    try:
        if mode in _WITH_ALPHA or clear is not None:
            return picture.convert("RGBA"), []
        return picture.convert("L" if mode in ("1", "L") else "RGB"), []
    except ValueError:
        raise InputError(
            f"{path}: is a picture of mode {mode}, which has no RGB; convert it to RGB, or pass a .npy file"
        ) from None


def _scaled(picture: Any, source: _Source) -> tuple[Any, list[str]]:
    values = np.asarray(picture).astype(np.float64)
    scaled = np.clip(np.round(values * (255 / source.largest)), 0, 255).astype(np.uint8)
    image_module, _ = pillow()
    image = image_module.fromarray(255 - scaled if source.white_is_zero else scaled)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        alpha = np.where(values == clear, 0, 255).astype(np.uint8)
        image = image_module.merge("RGBA", [image] * 3 + [image_module.fromarray(alpha)])
    return image, [f"values 0..{source.largest} scaled to 0..255"]

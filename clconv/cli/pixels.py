"""Pictures to tensors and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.cli.pictures.opening import on_white, pillow
from clconv.errors import ConfigError, InputError
from clconv.graph.ir import DType, TensorSpec

if TYPE_CHECKING:
    from PIL import Image

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
PICTURE_CHANNELS = tuple(_MODES)
# What networks trained on ImageNet are fed: channel means and deviations of its training set, RGB, 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# They were trained on the middle of pictures whose short side is 256, 224 of it.
_IMAGENET_MARGIN = 256 / 224
_IMAGENET_CLASSES = (1000, 1001)


@dataclasses.dataclass(frozen=True)
class Pixels:
    """How a picture's bytes become values: value = (byte * scale - mean) / std, channel by channel.

    margin: how much larger than the network's input the picture is made before its middle is cut out.
    """

    scale: float
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    margin: float = 1.0

    def __str__(self) -> str:
        def text(values: tuple[float, ...]) -> str:
            return ",".join(f"{v:g}" for v in values)

        scale = f"1/{1 / self.scale:g}" if self.scale < 1 else f"{self.scale:g}"
        return f"scale {scale}, mean {text(self.mean)}, std {text(self.std)}"


@dataclasses.dataclass(frozen=True)
class PicturePlacement:
    """Where a picture goes in an input: channels, size, and whether channels come first."""

    channels: int
    height: int
    width: int
    channels_first: bool

    @property
    def shape(self) -> tuple[int, ...]:
        if self.channels_first:
            return (1, self.channels, self.height, self.width)
        return (1, self.height, self.width, self.channels)


def is_classifier(outputs: dict[str, TensorSpec | None]) -> bool:
    """Whether the outputs look like the classes of ImageNet."""
    specs = [spec for spec in outputs.values() if spec is not None]
    return len(outputs) == len(specs) == 1 and (
        specs[0].rank == 2 and specs[0].shape[1] in _IMAGENET_CLASSES
    )


def choose_pixels(
    spec: TensorSpec,
    classifier: bool,
    scale: float | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
) -> Pixels:
    """What the user asked for, else what suits the input: bytes as they are for integers, 0..1 for floats,
    ImageNet's mean and deviation for its classifiers."""
    if scale is None:
        scale = 1 / 255 if spec.dtype.is_float else 1.0
    imagenet = classifier and spec.dtype.is_float and scale == 1 / 255 and spec.rank == 4
    if mean is None:
        mean = IMAGENET_MEAN if imagenet and std is None else (0.0,)
        if imagenet and std is None:
            std = IMAGENET_STD
    std = (1.0,) if std is None else std
    if min(std) <= 0:
        raise ConfigError("--std: deviations are numbers above zero")
    return Pixels(scale, mean, std, _IMAGENET_MARGIN if classifier else 1.0)


def channels_come_first(spec: TensorSpec, layout: str) -> bool:
    """Whether an input of rank 4 takes N x C x H x W. layout: "nchw", "nhwc", or "auto" for whichever has a count of
    channels that pictures have."""
    if layout != "auto":
        return layout == "nchw"
    return spec.shape[1] in _MODES or spec.shape[3] not in _MODES


def place(
    name: str,
    spec: TensorSpec,
    size: tuple[int, int],
    layout: str,
    open_size: tuple[int, int] | None,
) -> PicturePlacement:
    """Where a picture of size (height, width) goes in an input; open_size for what the model leaves open.

    layout: "nchw", "nhwc", or "auto" for whichever has a channel count. Raises InputError.
    """
    if spec.rank != 4:
        raise InputError(
            f"input '{name}' takes {spec}; a picture needs 4 axes, so pass a .npy file"
        )
    if isinstance(spec.shape[0], int) and spec.shape[0] != 1:
        raise InputError(
            f"input '{name}' takes {spec}: a batch of {spec.shape[0]}; pass a .npy file"
        )
    first = channels_come_first(spec, layout)
    _, *rest = spec.shape
    channels, height, width = rest if first else (rest[2], rest[0], rest[1])
    if not isinstance(channels, int):
        channels = 3
    if channels not in _MODES:
        other, fits = ("nhwc", rest[2] in _MODES) if first else ("nchw", rest[0] in _MODES)
        hint = f"try --layout {other}, or " if layout != "auto" and fits else ""
        raise InputError(
            f"input '{name}' takes {spec}: {channels} channels, a picture has 1, 3 or 4; {hint}pass a .npy file"
        )
    wanted = open_size or size
    height = height if isinstance(height, int) else wanted[0]
    width = width if isinstance(width, int) else wanted[1]
    return PicturePlacement(channels, height, width, first)


def to_tensor(
    picture: Image.Image, placement: PicturePlacement, pixels: Pixels, dtype: DType
) -> np.ndarray:
    """The picture's middle at the input's size, as an array of placement.shape; what is transparent as on a white page,
    unless the input has four channels."""
    image_module, ops = pillow()
    opaque = picture if placement.channels == 4 else on_white(picture)[0]
    coloured = opaque.convert(_MODES[placement.channels])
    wanted = (placement.width, placement.height)
    if coloured.size != wanted:
        larger = tuple(round(side * pixels.margin) for side in wanted)
        fitted = ops.fit(coloured, larger, method=image_module.Resampling.BILINEAR)
        left, top = (larger[0] - wanted[0]) // 2, (larger[1] - wanted[1]) // 2
        coloured = fitted.crop((left, top, left + wanted[0], top + wanted[1]))
    values = np.asarray(coloured, np.float64).reshape(placement.height, placement.width, -1)
    mean = _per_channel("--mean", pixels.mean, placement.channels)
    std = _per_channel("--std", pixels.std, placement.channels)
    values = (values * pixels.scale - mean) / std
    if not dtype.is_float:
        values = np.round(values)
    if placement.channels_first:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[np.newaxis].astype(dtype.numpy))


def from_tensor(array: np.ndarray, pixels: Pixels) -> Image.Image:
    """The picture of an output (1 x C x H x W, or 1 x H x W x C), C being 1, 3 or 4: the inverse of what
    was done to the input, cut to 0..255. Raises InputError for other shapes."""
    if array.ndim != 4 or array.shape[0] != 1 or not {array.shape[1], array.shape[3]} & set(_MODES):
        raise InputError(
            f"an output of shape {array.shape} is no picture (1 x channels x height x width with 1, 3 "
            "or 4 channels); save it as .npz"
        )
    if not array.size:
        raise InputError(f"an output of shape {array.shape} has no pixels; save it as .npz")
    values = array[0].astype(np.float64)
    if array.shape[1] in _MODES:
        values = values.transpose(1, 2, 0)
    channels = values.shape[2]
    if array.dtype != np.uint8:
        mean = _per_channel("--mean", pixels.mean, channels)
        std = _per_channel("--std", pixels.std, channels)
        values = (values * std + mean) / pixels.scale
    data = np.clip(np.round(np.nan_to_num(values)), 0, 255).astype(np.uint8)
    image_module, _ = pillow()
    return image_module.fromarray(data[:, :, 0] if channels == 1 else data)


def check_channels(pixels: Pixels, shape: Sequence[int]) -> None:
    """Raises ConfigError if from_tensor() cannot apply the pixels' mean and deviation to an output of that shape."""
    channels = shape[1] if shape[1] in _MODES else shape[3]
    _per_channel("--mean", pixels.mean, channels)
    _per_channel("--std", pixels.std, channels)


def _per_channel(option: str, values: tuple[float, ...], channels: int) -> np.ndarray:
    if len(values) not in (1, channels):
        raise ConfigError(f"{option}: {len(values)} values for {channels} channels")
    return np.broadcast_to(np.asarray(values, np.float64), (channels,))

"""What a user passes on the command line, as arrays for a model's inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from clconv.cli.arrays import check_npy, read_npy, read_npz
from clconv.cli.files import check_readable
from clconv.cli.pictures.opening import check_picture, on_white, open_picture
from clconv.cli.pixels import Pixels, choose_pixels, place, to_tensor
from clconv.cli.running.tiles import Tiling, tiling
from clconv.errors import ConfigError, InputError
from clconv.graph.ir import TensorSpec
from clconv.session.inputs import conform
from clconv.session.random_feeds import random_feeds as random_feeds

LAYOUTS = ("auto", "nchw", "nhwc")
FITS = ("auto", "tiles", "crop")


@dataclasses.dataclass(frozen=True)
class PictureOptions:
    """The user's options for pictures; None and "auto" choose what suits the model."""

    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layout: str = "auto"
    size: tuple[int, int] | None = None
    classifier: bool = False
    known: Pixels | None = None  # what the model's file says
    fit: str = "auto"
    dense: Fraction | None = None  # dense_scale() of a model with one input

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(f"--layout {self.layout}: choose one of {', '.join(LAYOUTS)}")
        if self.fit not in FITS:
            raise ConfigError(f"--fit {self.fit}: choose one of {', '.join(FITS)}")

    def check_fit(self) -> None:
        """Raises ConfigError for tiles of a model whose results cannot be put together."""
        if self.fit == "tiles" and self.dense is None:
            raise ConfigError(
                "--fit tiles: is for models with one picture input of fixed size whose outputs are maps of it; leave it out"
            )

    def pixels(self, spec: TensorSpec) -> Pixels:
        """How bytes become values of an input: as the user said, else the file, else as suits the input."""
        if self.known is not None and (self.scale, self.mean, self.std) == (None, None, None):
            return self.known
        return choose_pixels(spec, self.classifier, self.scale, self.mean, self.std)

    @property
    def given(self) -> list[str]:
        """The options that say something."""
        values = {
            "--scale": self.scale,
            "--mean": self.mean,
            "--std": self.std,
            "--layout": None if self.layout == "auto" else self.layout,
            "--size": self.size,
            "--fit": None if self.fit == "auto" else self.fit,
        }
        return [name for name, value in values.items() if value is not None]


@dataclasses.dataclass(frozen=True)
class Feeds:
    """Arrays by input name, as the model takes them; what was done, a line an input; how the last picture was scaled."""

    arrays: dict[str, np.ndarray]
    remarks: tuple[str, ...] = ()
    pixels: Pixels | None = None
    tiling: Tiling | None = None


@dataclasses.dataclass(frozen=True)
class Picture:
    """array: the input, along axis 0 the tiles if there are any. how: what was done."""

    array: np.ndarray
    how: str
    pixels: Pixels
    tiling: Tiling | None = None


def separate(specs: Mapping[str, TensorSpec], given: Sequence[str]) -> list[list[str]]:
    """FILE or NAME=FILE arguments, those of each run together: of a model with one input each is a run of its own.

    Raises InputError where one input of several is given twice.
    """
    if len(specs) == 1:
        return [[text] for text in given]
    taken: dict[str, str] = {}
    for text in given:
        name, path = _split(text, specs)
        if name in taken:
            raise InputError(f"input '{name}' is given twice: {taken[name]} and {path}")
        if name:
            taken[name] = str(path)
    return [list(given)]


def check_feeds(
    specs: Mapping[str, TensorSpec], given: Sequence[str], options: PictureOptions
) -> None:
    """Raises what read_feeds() raises as far as the names and heads of the files tell, and ConfigError for options that
    would change nothing: before any work."""
    pictures = []
    for text in given:
        name, path = _split(text, specs)
        if path.suffix.lower() == ".npz":
            check_readable(path, "an .npz file")
            continue
        target = name or _only_input(specs, path)
        if path.suffix.lower() == ".npy":
            check_npy(path, target, specs[target])
        else:
            check_picture(path, or_arrays=True)
            pictures.append(specs[target])
    if options.given and not pictures:
        raise ConfigError(f"{options.given[0]} says how pictures are read; there are arrays only")
    check_size(options.size, pictures)


def check_size(size: tuple[int, int] | None, pictures: Sequence[TensorSpec]) -> None:
    """Raises ConfigError if --size is given for inputs of which none has an open one."""
    if size and all(
        spec.rank != 4 or all(isinstance(side, int) for side in spec.shape[1:]) for spec in pictures
    ):
        raise ConfigError(
            f"--size: the model's input has a fixed size, {pictures[0]}; leave it out: pictures are resized"
        )


def read_feeds(
    specs: Mapping[str, TensorSpec], given: Sequence[str], options: PictureOptions
) -> Feeds:
    """Reads FILE or NAME=FILE for every input: pictures, .npy, or .npz with arrays by input name.

    Raises InputError or ConfigError for files that cannot be read or do not say which input they are for, or where two
    are for the same; OSError for files that are not there.
    """
    arrays: dict[str, np.ndarray] = {}
    remarks: list[str] = []
    picture: Picture | None = None
    for text in given:
        name, path = _split(text, specs)
        if path.suffix.lower() == ".npz":
            if name:
                raise InputError(
                    f"{path}: an .npz file names its inputs itself; leave out '{name}='"
                )
            found = read_npz(path, specs)
            remarks.append(f"{path}: {', '.join(found)}")
        else:
            target = name or _only_input(specs, path)
            if path.suffix.lower() == ".npy":
                array, how = (
                    _as_asked(read_npy(path, target, specs[target]), specs[target]),
                    "as it is",
                )
            else:
                picture = read_picture(path, target, specs[target], options)
                array, how = picture.array, picture.how
            found = {target: array}
            remarks.append(f"input '{target}': {path} as {TensorSpec.of(array)}, {how}")
        for target in found:
            if target in arrays:
                raise InputError(f"input '{target}' is given twice, the second time by {path}")
        arrays.update(found)
    if picture is None:
        return Feeds(conform(specs, arrays), tuple(remarks))
    if picture.tiling is not None:  # of a model with one input
        return Feeds(arrays, tuple(remarks), picture.pixels, picture.tiling)
    return Feeds(conform(specs, arrays), tuple(remarks), picture.pixels)


def read_picture(path: Path, name: str, spec: TensorSpec, options: PictureOptions) -> Picture:
    """A picture for an input: its middle, or for networks that make maps of it the whole of it in tiles."""
    opened = open_picture(path)
    pixels = options.pixels(spec)
    size = (opened.image.height, opened.image.width)
    placement = place(name, spec, size, options.layout, options.size)
    how = [*opened.remarks]
    if placement.channels != 4 and on_white(opened.image)[1]:
        how.append("what is transparent as on white")
    tiles = None
    tile = (placement.height, placement.width)
    if options.dense is not None and options.fit != "crop" and size != tile:
        tiles = tiling(size, tile, options.dense, placement.channels_first)
        placement = dataclasses.replace(placement, height=size[0], width=size[1])
        how.append(str(tiles))
    array = to_tensor(opened.image, placement, pixels, spec.dtype)
    if tiles is not None:
        array = tiles.cut(array)
    return Picture(array, ", ".join([*how, str(pixels)]), pixels, tiles)


def _split(text: str, specs: Mapping[str, TensorSpec]) -> tuple[str, Path]:
    """The input's name, empty if none is given, and the file."""
    name, equals, path = text.partition("=")
    if equals and name in specs:
        if not path:
            raise InputError(f"--input {text}: name a file behind the equals sign")
        return name, Path(path)
    if equals and not Path(text).exists():
        raise InputError(f"--input {text}: there is no input '{name}', only {', '.join(specs)}")
    return "", Path(text)


def _only_input(specs: Mapping[str, TensorSpec], path: Path) -> str:
    if len(specs) != 1:
        raise InputError(
            f"{path}: which input is it for? Say NAME={path}; the model takes {', '.join(specs)}"
        )
    return next(iter(specs))


def _as_asked(array: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """float64, NumPy's default, goes to float32 inputs; any other type stays, and is checked by run()."""
    if array.dtype == np.float64 and spec.dtype.value == "float32":
        return array.astype(np.float32)
    return array

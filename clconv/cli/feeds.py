"""What a user passes on the command line, as arrays for a model's inputs."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clconv.cli.images import Pixels, choose_pixels, open_picture, place, to_tensor
from clconv.errors import ConfigError, InputError
from clconv.graph.ir import TensorSpec

LAYOUTS = ("auto", "nchw", "nhwc")


@dataclasses.dataclass(frozen=True)
class PictureOptions:
    """What the user said about pictures; None and "auto" leave it to what suits the model."""

    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layout: str = "auto"
    size: tuple[int, int] | None = None
    classifier: bool = False

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(f"--layout {self.layout}: choose one of {', '.join(LAYOUTS)}")
        if self.scale == 0:
            raise ConfigError("--scale 0 would make every picture black")


@dataclasses.dataclass(frozen=True)
class Feeds:
    """Arrays by input name; what was done, a line an input; how the last picture was scaled."""

    arrays: dict[str, np.ndarray]
    remarks: tuple[str, ...] = ()
    pixels: Pixels | None = None


def read_feeds(
    specs: Mapping[str, TensorSpec], given: Sequence[str], options: PictureOptions
) -> Feeds:
    """Reads FILE or NAME=FILE for every input: pictures, .npy, or .npz with arrays by input name.

    Raises InputError or ConfigError for files that cannot be read or do not say which input they are for,
    OSError for files that are not there.
    """
    arrays: dict[str, np.ndarray] = {}
    remarks: list[str] = []
    pixels: Pixels | None = None
    for text in given:
        name, path = _split(text, specs)
        if path.suffix.lower() == ".npz":
            found = _read_npz(path)
            if name:
                raise InputError(
                    f"{path}: an .npz file names its inputs itself; leave out '{name}='"
                )
            arrays.update(found)
            remarks.append(f"{path}: {', '.join(found)}")
            continue
        target = name or _only_input(specs, path)
        spec = specs[target]
        if path.suffix.lower() == ".npy":
            array, how = _as_asked(_read_npy(path), spec), "as it is"
        else:
            picture = open_picture(path)
            pixels = choose_pixels(
                spec, options.classifier, options.scale, options.mean, options.std
            )
            placement = place(
                target, spec, (picture.height, picture.width), options.layout, options.size
            )
            array, how = to_tensor(picture, placement, pixels, spec.dtype), str(pixels)
        arrays[target] = array
        remarks.append(f"input '{target}': {path} as {TensorSpec.of(array)}, {how}")
    return Feeds(arrays, tuple(remarks), pixels)


def random_feeds(
    specs: Mapping[str, TensorSpec], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Seeded inputs of these shapes: floats in 0..1, small integers, random booleans."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, spec in specs.items():
        values = rng.random(shapes[name])
        if spec.dtype.value == "bool":
            arrays[name] = values < 0.5
        else:
            high = 1 if spec.dtype.is_float else 8
            arrays[name] = np.asarray(values * high, spec.dtype.numpy)
    return arrays


def settle_shapes(
    specs: Mapping[str, TensorSpec], size: tuple[int, int] | None, given: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """A shape for every input: --shape, else the model's with an open batch as 1 and an open size as --size.

    Raises ConfigError naming the axes that are still open.
    """
    told = {}
    for text in given:
        name, _, shape = text.rpartition("=")
        name = name or _only_input(specs, Path(text))
        if name not in specs:
            raise ConfigError(
                f"--shape {text}: there is no input '{name}', only {', '.join(specs)}"
            )
        told[name] = parse_sizes(shape, "--shape")
    return {n: told.get(n) or _settle(n, s, size) for n, s in specs.items()}


def _settle(name: str, spec: TensorSpec, size: tuple[int, int] | None) -> tuple[int, ...]:
    shape = list(spec.shape)
    if shape and not isinstance(shape[0], int):
        shape[0] = 1
    open_axes = [i for i, d in enumerate(shape) if not isinstance(d, int)]
    if size and len(open_axes) <= 2 and spec.rank >= 3:
        spatial = (1, 2) if isinstance(shape[-1], int) and shape[-1] in (1, 3, 4) else (-2, -1)
        for axis, side in zip(spatial, size, strict=True):
            if not isinstance(shape[axis], int):
                shape[axis] = side
    if not all(isinstance(d, int) for d in shape):
        raise ConfigError(
            f"input '{name}' is {spec}, its size is open: say --size HEIGHTxWIDTH or "
            f"--shape {name}={'x'.join('?' if not isinstance(d, int) else str(d) for d in shape)}"
        )
    return tuple(shape)


def parse_sizes(text: str, option: str) -> tuple[int, ...]:
    """ "1x3x8x8" as numbers; ConfigError if it is not."""
    try:
        sizes = tuple(int(part) for part in text.lower().split("x"))
    except ValueError:
        raise ConfigError(f"{option} {text!r}: sizes are numbers with x between, 480x640") from None
    if any(s < 1 for s in sizes):
        raise ConfigError(f"{option} {text!r}: sizes start at 1")
    return sizes


def parse_size(text: str | None) -> tuple[int, int] | None:
    """--size as (height, width)."""
    if text is None:
        return None
    sizes = parse_sizes(text, "--size")
    if len(sizes) != 2:
        raise ConfigError(f"--size {text!r}: say HEIGHTxWIDTH, such as 480x640")
    return sizes[0], sizes[1]


def parse_floats(text: str | None, option: str) -> tuple[float, ...] | None:
    """ "0.5,0.5,0.5" as numbers."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"{option} {text!r}: numbers with commas between, 0.5,0.5,0.5") from None


def _split(text: str, specs: Mapping[str, TensorSpec]) -> tuple[str, Path]:
    """The input's name, empty if none is given, and the file."""
    name, equals, path = text.partition("=")
    if equals and name in specs:
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


def _read_npy(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as reason:
        raise InputError(f"{path}: is no readable .npy file: {reason}") from None
    if not isinstance(loaded, np.ndarray):
        raise InputError(f"{path}: is no .npy file with one array")
    return loaded


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as reason:
        raise InputError(f"{path}: is no readable .npz file: {reason}") from None

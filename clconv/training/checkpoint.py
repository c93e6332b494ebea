"""What training has come to, in a file: parameters, running statistics, moments, and how far it is."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clconv.errors import ConfigError, ModelError
from clconv.store.files import write

FORMAT = "clconv-training-1"


def save_checkpoint(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], facts: Mapping[str, str]
) -> None:
    """Writes a safetensors file: the arrays, and the facts as its metadata. Raises ModelError if it cannot."""
    packed = _library("safetensors.numpy").save(
        {n: np.ascontiguousarray(a) for n, a in arrays.items()},
        metadata={"format": FORMAT, **facts},
    )
    try:
        write(Path(path), packed)
    except OSError as reason:
        raise ModelError(
            f"{os.fspath(path)}: cannot be written: {reason.strerror or reason}"
        ) from None


def load_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and facts of a file that save_checkpoint wrote. Raises ModelError for any other."""
    library = _library("safetensors")
    name = os.fspath(path)
    try:
        with library.safe_open(name, framework="numpy") as file:
            facts = dict(file.metadata() or {})
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, library.SafetensorError, TypeError) as reason:
        raise ModelError(f"{name}: is no readable safetensors file: {reason}") from None
    if facts.get("format") != FORMAT:
        raise ModelError(f"{name}: was not written by Trainer.save")
    return arrays, facts


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigError(
            "checkpoints are safetensors files: pip install 'clconv[train]'"
        ) from None

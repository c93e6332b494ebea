"""Arrays by name in a safetensors file."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clconv.errors import ConfigError, ModelError
from clconv.store.files import write


def check_installed() -> None:
    """Before hours of work: ConfigError without the package safetensors."""
    _library("safetensors")


def write_tensors(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    facts: Mapping[str, str] | None = None,
) -> None:
    """Writes the arrays, and the facts as the file's metadata. Raises ModelError if it cannot, ConfigError without the
    package safetensors."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    packed = _library("safetensors.numpy").save(contiguous, metadata=dict(facts or {}) or None)
    try:
        write(Path(path), packed)
    except OSError as reason:
        raise ModelError(
            f"{os.fspath(path)}: cannot be written: {reason.strerror or reason}"
        ) from None


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and facts of a file. Raises ModelError for a file that is none, or has types that NumPy lacks,
    ConfigError without the package safetensors."""
    library = _library("safetensors")
    name = os.fspath(path)
    try:
        with library.safe_open(name, framework="numpy") as file:
            facts = dict(file.metadata() or {})
            return {key: file.get_tensor(key) for key in file.keys()}, facts  # noqa: SIM118
    except (OSError, library.SafetensorError, TypeError, AttributeError) as reason:
        raise ModelError(f"{name}: is no readable safetensors file: {reason}") from None


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigError(
            "weights and checkpoints are safetensors files: pip install 'clconv[train]'"
        ) from None

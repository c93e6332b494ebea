"""What training has come to, in a file: parameters, running statistics, moments, and how far it is."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from clconv.errors import ModelError
from clconv.store.tensors import read_tensors, write_tensors

FORMAT = "clconv-training-1"


def save_checkpoint(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], facts: Mapping[str, str]
) -> None:
    """Writes a safetensors file: the arrays, and the facts as its metadata. Raises ModelError if it cannot."""
    write_tensors(path, arrays, {"format": FORMAT, **facts})


def load_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and facts of a file that save_checkpoint wrote. Raises ModelError for any other."""
    arrays, facts = read_tensors(path)
    if facts.get("format") != FORMAT:
        raise ModelError(f"{os.fspath(path)}: was not written by Trainer.save")
    return arrays, facts

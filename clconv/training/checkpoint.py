"""What training has come to, in a file: parameters, running statistics, moments, and how far it is."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

import numpy as np

from clconv.errors import ModelError
from clconv.graph.ir import TensorSpec
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


def check_checkpoint(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    held: Mapping[str, TensorSpec],
    fixed: Collection[str],
) -> None:
    """ModelError for a file of another network, or of another choice of what learns. held: what learns or follows the
    batches; fixed: what does neither."""
    for name, spec in held.items():
        if name not in arrays or arrays[name].shape != spec.shape:
            raise ModelError(
                f"{os.fspath(path)}: holds no '{name}' of {spec}; it is of another network"
            )
    learned = sorted({*fixed} & set(arrays))
    if learned:
        raise ModelError(
            f"{os.fspath(path)}: holds what was learned of '{learned[0]}', which stays as it is here: give the freeze= and "
            "batch_norm= that it was trained with"
        )


def check_moments(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    facts: Mapping[str, str],
    moments: Mapping[str, TensorSpec],
    optimizer: str,
) -> None:
    """ModelError for a file of another optimiser, or of one that kept other moments. Before the first step there are none."""
    if not int(facts["steps"]):
        return
    if facts["optimizer"] != optimizer:
        raise ModelError(
            f"{os.fspath(path)}: was trained by {facts['optimizer']}, this is {optimizer}"
        )
    for name, spec in moments.items():
        if name not in arrays or arrays[name].shape != spec.shape:
            raise ModelError(
                f"{os.fspath(path)}: holds no '{name}' of {spec}: give the options of {optimizer} that it was trained with"
            )

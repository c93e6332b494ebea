"""Top classes of a classifier's output, with names where a file has them."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clconv.cli.files import check_readable
from clconv.errors import ConfigError, warn_once
from clconv.graph.ir import TensorSpec

_MOST_BYTES = 2**26


def read_labels(path: Path) -> list[str]:
    """Class names, one a line, or a JSON list, or a JSON object by class number.

    Raises ConfigError if the file is none of these, OSError if it is not there.
    """
    check_readable(path, "class names", _MOST_BYTES)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is no UTF-8 text") from None
    if not text.strip():
        raise ConfigError(f"{path}: names no classes")
    if path.suffix.lower() != ".json":
        return text.rstrip("\n").split("\n")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as reason:  # of numbers with thousands of digits, too
        raise ConfigError(f"{path}: is no JSON: {reason}") from None
    if isinstance(content, dict):
        try:
            content = [content[str(i)] for i in range(len(content))]
        except KeyError as reason:
            raise ConfigError(f"{path}: has no class {reason}") from None
    if not isinstance(content, list) or not content:
        raise ConfigError(f"{path}: is neither a list of names nor names by class number")
    # torchvision's and Keras's files hold [synset, name] for each class.
    names = [entry[-1] if isinstance(entry, list) and entry else entry for entry in content]
    if any(isinstance(name, list | dict) for name in names):
        raise ConfigError(f"{path}: class {_first_nested(names)} is no name")
    return list(map(str, names))


@functools.cache
def _imagenet() -> tuple[str, ...]:
    text = (Path(__file__).parent / "running" / "imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def imagenet_names(count: int | None) -> list[str] | None:
    """The names of ImageNet's 1000 classes for so many, or behind "background" for 1001 as TensorFlow's networks have
    them; None for any other count."""
    if count == 1000:
        return list(_imagenet())
    return ["background", *_imagenet()] if count == 1001 else None


def _first_nested(names: list[Any]) -> int:
    return next(i for i, name in enumerate(names) if isinstance(name, list | dict))


def class_count(outputs: Mapping[str, TensorSpec | None]) -> int | None:
    """How many classes a model with these outputs distinguishes, None if that is known at run time only.

    Raises ConfigError if its outputs are no scores of classes.
    """
    spec = next(iter(outputs.values()), None)
    if len(outputs) == 1 and spec is None:
        return None
    if len(outputs) == 1 and spec is not None and spec.dtype.is_float and spec.rank >= 2:
        count, *more = spec.shape[1:]
        if not any(isinstance(side, int) and side != 1 for side in more) and count != 1:
            return count if isinstance(count, int) else None
    listed = ", ".join(f"{name} {spec}" for name, spec in outputs.items())
    raise ConfigError(f"the model's output is no list of class scores: {listed}")


def check_labels(labels: list[str], count: int) -> None:
    """Raises ConfigError if there are too few names; a ClconvWarning if there are too many."""
    if len(labels) < count:
        raise ConfigError(f"the labels name {len(labels)} classes, the network has {count}")
    if len(labels) > count:
        warn_once(
            f"the labels name {len(labels)} classes, the network has {count}: they may be of another"
        )


def scores(outputs: dict[str, np.ndarray]) -> np.ndarray | None:
    """The (batch, classes) array if there is one output and it looks like one, else None."""
    if len(outputs) != 1:
        return None
    array = next(iter(outputs.values()))
    if array.dtype.kind != "f" or array.ndim < 2 or array.shape[1] < 2:
        return None
    if any(side != 1 for side in array.shape[2:]) or not array.size:
        return None
    return array.reshape(array.shape[:2])


def probabilities(values: np.ndarray) -> np.ndarray:
    """Rows as probabilities: as they are if they already are, else their softmax."""
    wide = values.astype(np.float64)
    if (wide >= 0).all() and np.allclose(wide.sum(axis=1), 1, atol=1e-3):
        return wide
    with np.errstate(invalid="ignore"):  # of infinite scores, shown as nan
        raised = np.exp(wide - wide.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def top_classes(
    row: np.ndarray, count: int, labels: list[str] | None
) -> list[tuple[int, str, float]]:
    """(class, name, probability) of the most probable ones; labels: a name for each class at least."""
    order = np.argsort(-row, kind="stable")[:count]
    return [(int(i), labels[i] if labels else "", float(row[i])) for i in order]

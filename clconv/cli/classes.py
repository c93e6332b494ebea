"""Top classes of a classifier's output, with names where a file has them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from clconv.errors import ConfigError


def read_labels(path: Path) -> list[str]:
    """Class names, one a line, or a JSON list, or a JSON object by class number.

    Raises ConfigError if the file is none of these, OSError if it is not there.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() != ".json":
            return text.splitlines()
        content = json.loads(text)
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is no UTF-8 text") from None
    except json.JSONDecodeError as reason:
        raise ConfigError(f"{path}: is no JSON: {reason}") from None
    if isinstance(content, dict):
        try:
            content = [content[str(i)] for i in range(len(content))]
        except KeyError as reason:
            raise ConfigError(f"{path}: has no class {reason}") from None
    if not isinstance(content, list):
        raise ConfigError(f"{path}: is neither a list of names nor names by class number")
    # torchvision's and Keras's files hold [synset, name] for each class.
    return [
        str(entry[-1]) if isinstance(entry, list) and entry else str(entry) for entry in content
    ]


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
    raised = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def top_classes(
    row: np.ndarray, count: int, labels: list[str] | None
) -> list[tuple[int, str, float]]:
    """(class, name, probability) of the most probable ones. ConfigError if there are too few names."""
    if labels is not None and len(labels) < len(row):
        raise ConfigError(f"the labels name {len(labels)} classes, the network has {len(row)}")
    order = np.argsort(-row, kind="stable")[:count]
    return [(int(i), labels[i] if labels else "", float(row[i])) for i in order]

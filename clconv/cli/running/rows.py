"""What a table says of one picture: its most probable classes, or the values of the outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv.cli.classes import check_labels, probabilities, scores, top_classes
from clconv.errors import ConfigError, InputError
from clconv.graph.ir import TensorSpec

FILE = "file"
# Columns of a .csv file; spreadsheets and databases take few more.
MOST_COLUMNS = 4096


@dataclasses.dataclass(frozen=True)
class Classes:
    """The `top` most probable classes of a picture. names: of all classes, None without."""

    top: int
    names: list[str] | None

    def of(self, outputs: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """Raises InputError for outputs that are no scores of classes."""
        found = scores(dict(outputs))
        if found is None or len(found) != 1:
            shapes = ", ".join(f"{n} {a.shape}" for n, a in outputs.items())
            raise InputError(f"the model's output is no list of class scores: {shapes}")
        if self.names is not None and len(self.names) < found.shape[1]:
            check_labels(self.names, found.shape[1])
        (row,) = probabilities(found)
        return [
            {"class": number, **({} if self.names is None else {"name": name}), "probability": p}
            for number, name, p in top_classes(row, self.top, self.names)
        ]

    def columns(self, outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The same as one flat row: class_1, name_1, probability_1, class_2 and so on."""
        return {
            f"{key}_{place}": value
            for place, entry in enumerate(self.of(outputs), 1)
            for key, value in entry.items()
        }


def values(outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of one picture, without a batch axis of 1."""
    return {n: a[0] if a.ndim and len(a) == 1 else a for n, a in outputs.items()}


def flat_columns(outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Each value a column: `name` where there is one, else name_0, name_1 and so on."""
    found: dict[str, Any] = {}
    for name, array in values(outputs).items():
        flat = array.ravel().tolist()
        if array.ndim == 0:
            found[name] = flat[0]
        else:
            found.update((f"{name}_{i}", v) for i, v in enumerate(flat))
    check_columns(len(found))
    return found


def check_columns(count: int) -> None:
    """Raises ConfigError for more than a .csv file should have."""
    if count > MOST_COLUMNS:
        raise ConfigError(
            f"{count:,} values a picture are too many columns ({MOST_COLUMNS:,}); save as .npz, .parquet or .jsonl"
        )


def count_values(specs: Mapping[str, TensorSpec | None]) -> int | None:
    """How many values a picture's outputs have, None if that is not known."""
    total = 0
    for spec in specs.values():
        if spec is None or not all(isinstance(size, int) for size in spec.shape[1:]):
            return None
        total += int(np.prod([int(size) for size in spec.shape[1:]]))
    return total


def text(path: str) -> str:
    """A path as UTF-8 can hold it: bytes that are no text as escapes."""
    return path.encode("utf-8", "backslashreplace").decode()


def plain(number: Any) -> Any:
    """A number as a text file has it: six digits of a probability tell all there is."""
    return float(f"{number:.7g}") if isinstance(number, float) else number

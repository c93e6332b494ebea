"""What each input of a run gave: classes or numbers for people, all of it in one document with --json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv.cli.classes import probabilities, top_classes
from clconv.cli.printing import Column, Results, Table
from clconv.cli.printing.table import as_data

_COLUMNS = (
    Column("output", kind="name"),
    Column("shape"),
    Column("type"),
    *(Column(key, kind="number", shown="{:.6g}".format) for key in ("least", "mean", "largest")),
)


class Answers:
    """Prints what a run gave as it comes. The document has it under "answers": one entry for each input, in order."""

    def __init__(self, out: Results) -> None:
        self._out = out
        self._entry: dict[str, Any] = {}

    def begin(self, file: str, heading: bool) -> None:
        """What follows is about this file; its name stands above where there are several."""
        self._entry = self._out.entry("answers", file=file)
        if heading:
            self._out.line(f"{file}:")

    def classes(self, values: np.ndarray, top: int, names: list[str] | None) -> None:
        """The most probable ones. values: scores, (batch, classes)."""
        found = []
        for index, row in enumerate(probabilities(values)):
            if len(values) > 1:
                self._out.line(f"image {index}")
            for number, name, probability in top_classes(row, top, names):
                self._out.line(f"{probability * 100:6.2f} % {name or f'class {number}'}")
                image = {"image": index} if len(values) > 1 else {}
                called = {"name": name} if name else {}
                found.append({**image, "class": number, **called, "probability": probability})
        self._entry["classes"] = as_data(found)

    def outputs(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Shapes and ranges of outputs that are no classes."""
        table = Table(*_COLUMNS)
        for name, array in outputs.items():
            shape = array.shape or ("scalar",)
            table.add(name, shape, array.dtype.name, *_range(array))
        self._out.print(table)
        self._entry["outputs"] = [
            {**row, "shape": list(array.shape)}
            for row, array in zip(table.data(), outputs.values(), strict=True)
        ]

    def saved(self, path: object) -> None:
        """The file that holds the outputs, or the table of all."""
        self._out.line(f"saved {path}", saved=str(path))


def _range(array: np.ndarray) -> tuple[float | None, float | None, float | None]:
    if not array.size or array.dtype.kind not in "fiub":
        return None, None, None
    values = array.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return float(values.min()), float(values.mean()), float(values.max())

"""How much the answers of a network change by quantising it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np


@dataclasses.dataclass
class Change:
    """Of one output, over all samples compared. ratio: signal to noise in decibels; infinite where nothing changed.
    agreement: the share of rows whose largest element is the same one; None if the output is no list of classes."""

    name: str
    samples: int = 0
    signal: float = 0.0
    noise: float = 0.0
    rows: int = 0
    same: int = 0

    @property
    def ratio(self) -> float:
        if not self.noise:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal else -math.inf

    @property
    def agreement(self) -> float | None:
        return self.same / self.rows if self.rows else None

    def add(self, expected: np.ndarray, found: np.ndarray) -> None:
        wide, other = expected.astype(np.float64), found.astype(np.float64)
        self.samples += 1
        self.signal += float(np.sum(wide**2))
        self.noise += float(np.sum((wide - other) ** 2))
        if expected.ndim == 2 and expected.shape[1] > 1:
            self.rows += len(expected)
            self.same += int(np.sum(wide.argmax(axis=1) == other.argmax(axis=1)))

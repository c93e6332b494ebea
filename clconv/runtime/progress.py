"""How far a load has come: kernels that are compiled, weights that are packed."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """The progress of whoever asks for none."""


class Steps:
    """Tells progress(done, all) of kernels that are compiled and weights that are packed, if any are compiled."""

    def __init__(self, progress: Progress, weights: int) -> None:
        self._progress, self._weights = progress, weights
        self._kernels = self._packed = 0

    def compiled(self, done: int, total: int) -> None:
        self._kernels = total
        self._progress(done, total + self._weights)

    def packed(self) -> None:
        self._packed = min(self._packed + 1, self._weights)
        if self._kernels:
            self._progress(self._kernels + self._packed, self._kernels + self._weights)

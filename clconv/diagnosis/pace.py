"""How long an examination goes on: what is left, from what is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

_FIRST = 5.0  # seconds before which nothing is foretold

# Examined first where time is short: what most networks consist of.
_USUAL = (
    "Conv", "Gemm", "MatMul", "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "Add", "Mul", "Relu", "Clip",
    "Sigmoid", "HardSwish", "Softmax", "Concat", "Resize", "ConvTranspose", "BatchNormalization", "Transpose", "Pad",
)  # fmt: skip


def usual_first(operators: Sequence[str], always: Sequence[str]) -> list[str]:
    """The operators, those of `always` first, then those of most networks, then the others as they are."""

    def rank(op: str) -> tuple[bool, int]:
        return op not in always, _USUAL.index(op) if op in _USUAL else len(_USUAL)

    return sorted(operators, key=rank)


class Pace:
    """Counts parts of work that take about as long each. limit: seconds after which no more is begun."""

    def __init__(
        self, total: int, limit: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._limit, self._clock = total, limit, clock
        self._done, self._began = 0, clock()

    def did(self, parts: int = 1) -> None:
        self._done += parts

    @property
    def elapsed(self) -> float:
        return self._clock() - self._began

    @property
    def is_over(self) -> bool:
        """Whether the limit is reached."""
        return self._limit is not None and self.elapsed >= self._limit

    @property
    def left(self) -> str:
        """ "about 40 s left", "" as long as too little is done to tell."""
        if not self._done or self.elapsed < _FIRST:
            return ""
        seconds = self.elapsed * max(self._total - self._done, 0) / self._done
        if self._limit is not None:
            seconds = min(seconds, max(self._limit - self.elapsed, 0))
        if seconds < 90:
            return f"about {max(10 * round(seconds / 10), 10)} s left"
        return f"about {round(seconds / 60)} min left"

"""How far `clconv train` is: a bar, or a line every few seconds where there is no terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from clconv.cli.console import remark, stderr
from clconv.cli.progress import Seldom
from clconv.training.progress import Progress, described, epoch_bar

_EVERY = 10.0  # seconds between lines


@contextlib.contextmanager
def training_bar(epochs: int) -> Iterator[Progress]:
    """What a step tells of itself goes there."""
    if not (console := stderr()).is_terminal:
        yield _lines(epochs)
        return
    with epoch_bar(epochs, console, keeps=False) as tell:
        yield tell


def _lines(epochs: int) -> Progress:
    seldom = Seldom(_EVERY)

    def tell(epoch: int, step: int, steps: int, figures: Mapping[str, float]) -> None:
        if step < steps and seldom.is_due():
            remark(f"epoch {epoch}/{epochs}: step {step} of {steps}  {described(figures)}")

    return tell

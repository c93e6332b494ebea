"""How far `clconv train` is: a bar, or a line every few seconds where there is no terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from clconv.cli.console import remark, stderr
from clconv.cli.progress import Seldom, steps
from clconv.training.progress import Progress, described, epoch_bar

_EVERY = 10.0  # seconds between lines


@contextlib.contextmanager
def training_bar(epochs: int) -> Iterator[Progress]:
    """What a step tells of itself goes there."""
    if not (console := stderr()).is_terminal:
        with contextlib.ExitStack() as first:
            first.enter_context(steps("compiling kernels"))
            yield _lines(epochs, first)
        return
    with epoch_bar(epochs, console, keeps=False) as tell:
        yield tell


def _lines(epochs: int, first: contextlib.ExitStack) -> Progress:
    """first: ends with the first step, which compiles."""
    seldom = Seldom(_EVERY)

    def tell(epoch: int, step: int, of: int, figures: Mapping[str, float]) -> None:
        first.close()
        if step < of and seldom.is_due():
            remark(f"epoch {epoch}/{epochs}: step {step} of {of}  {described(figures)}")

    return tell

"""How far training is: a bar with the figures and the time left, or a line every few seconds where there is no terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from clconv.cli.console import remark, stderr
from clconv.training.fit import Progress as Listener
from clconv.training.fit import described

_EVERY = 10.0  # seconds between lines


@contextlib.contextmanager
def training_bar(epochs: int) -> Iterator[Listener]:
    """What a step tells of itself goes there."""
    if not (console := stderr()).is_terminal:
        yield _lines(epochs)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task, now = bar.add_task("compiling kernels", total=None, figures=""), 0

        def tell(epoch: int, step: int, steps: int, figures: Mapping[str, float]) -> None:
            nonlocal now
            if epoch != now:  # the time left is of one epoch
                bar.reset(task)
                now = epoch
            bar.update(
                task, description=f"epoch {epoch}/{epochs}", completed=step, total=steps,
                figures=described(figures),
            )  # fmt: skip

        yield tell


def _lines(epochs: int) -> Listener:
    said = time.monotonic()

    def tell(epoch: int, step: int, steps: int, figures: Mapping[str, float]) -> None:
        nonlocal said
        if step < steps and time.monotonic() - said >= _EVERY:
            said = time.monotonic()
            remark(f"epoch {epoch}/{epochs}: step {step} of {steps}  {described(figures)}")

    return tell

"""How far training is: a bar with the figures and the time left, or a line an epoch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# Called after each step: epoch, step and steps of the epoch, the figures so far.
Progress = Callable[[int, int, int, Mapping[str, float]], None]


@contextmanager
def shown(progress: Progress | None, epochs: int) -> Iterator[Progress]:
    """The given listener, else a bar where there is a terminal, else a line an epoch."""
    if progress is not None:
        yield progress
    elif sys.stderr.isatty():
        from rich.console import Console

        with epoch_bar(epochs, Console(stderr=True), keeps=True) as tell:
            yield tell
    else:
        yield _lines(epochs)


@contextmanager
def epoch_bar(epochs: int, console: Console, keeps: bool) -> Iterator[Progress]:
    """keeps: a bar for each epoch, which stays; else one, which begins anew with each and goes at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=console, transient=not keeps) as bar:
        tasks: dict[int, TaskID] = {}
        first = bar.add_task("compiling kernels", total=None, figures="")

        def tell(epoch: int, step: int, steps: int, figures: Mapping[str, float]) -> None:
            if epoch not in tasks:  # the time left is of one epoch
                if keeps and tasks:
                    tasks[epoch] = bar.add_task("", total=None, figures="")
                else:
                    bar.reset(first)
                    tasks[epoch] = first
            bar.update(
                tasks[epoch], description=f"epoch {epoch}/{epochs}", completed=step, total=steps,
                figures=described(figures),
            )  # fmt: skip

        yield tell


def _lines(epochs: int) -> Progress:
    ended = 0

    def tell(epoch: int, step: int, steps: int, figures: Mapping[str, float]) -> None:
        nonlocal ended
        if ended == epoch:  # an epoch's last step is told twice, then with what was measured
            print(f"epoch {epoch}/{epochs}: {described(figures)}", file=sys.stderr, flush=True)
        ended = epoch if step == steps else 0

    return tell


def described(figures: Mapping[str, float]) -> str:
    """Figures in words for a line."""
    found = []
    for name, value in figures.items():
        if name == "images_per_second":
            found.append(f"{value:,.0f} images/s")
        elif name.endswith("accuracy"):
            found.append(f"{name} {value:.1%}")
        else:
            found.append(f"{name} {value:.4f}")
    return "  ".join(found)

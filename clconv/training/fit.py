"""The loop over epochs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from clconv.training.batches import Batch, batches
from clconv.training.progress import Progress, shown
from clconv.training.step import StepNames

if TYPE_CHECKING:
    from clconv.training.trainer import Trainer

History = list[dict[str, float]]


@dataclasses.dataclass
class Epoch:
    """Sums over examples. share: what the losses were means over."""

    examples: int = 0
    share: float = 0.0
    total_loss: float = 0.0
    correct: float = 0.0
    counted: float = 0.0

    def add(
        self, size: int, share: float, found: Mapping[str, np.ndarray], names: StepNames
    ) -> None:
        """Adds what a run gave for so many examples."""
        self.examples += size
        self.share += share
        self.total_loss += share * float(found[names.loss])
        if names.correct:
            self.correct += float(found[names.correct])
            self.counted += float(found[names.counted])

    def join(self, other: Epoch) -> None:
        self.examples += other.examples
        self.share += other.share
        self.total_loss += other.total_loss
        self.correct += other.correct
        self.counted += other.counted

    @property
    def loss(self) -> float:
        return self.total_loss / (self.share or 1.0)  # 0 where no label counts

    def figures(self) -> dict[str, float]:
        found = {"loss": self.loss}
        if self.counted:
            found["accuracy"] = self.correct / self.counted
        return found


class Clock:
    """The time since it was made, less what compiling took: of a rate that holds for what is to come."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer, self._start = trainer, time.perf_counter() - trainer.compiling

    @property
    def seconds(self) -> float:
        return max(time.perf_counter() - self._start - self._trainer.compiling, 1e-9)


def fit(
    trainer: Trainer,
    whole: Batch,
    held: Batch | None,
    epochs: int,
    batch_size: int,
    shuffle: bool,
    progress: Progress | None,
) -> History:
    """Trainer.fit, its data conformed."""
    history: History = []
    with shown(progress, trainer.epochs + epochs) as tell:
        for _ in range(epochs):
            figures = run_epoch(trainer, whole, batch_size, shuffle, tell)
            if held is not None:
                found = trainer.evaluate(held.inputs, held.targets, batch_size)
                figures.update({f"val_{name}": value for name, value in found.items()})
            steps = -(-whole.size // batch_size)
            tell(trainer.epochs, steps, steps, figures)
            history.append(figures)
    return history


def run_epoch(
    trainer: Trainer, whole: Batch, batch_size: int, shuffle: bool, tell: Progress
) -> dict[str, float]:
    """All examples once."""
    total, steps = Epoch(), -(-whole.size // batch_size)
    order = example_order(trainer.seed, trainer.epochs, whole.size) if shuffle else None
    clock = Clock(trainer)
    for i, batch in enumerate(batches(whole, batch_size, order)):
        total.join(trainer.learn(batch))
        rate = total.examples / clock.seconds
        tell(trainer.epochs + 1, i + 1, steps, {**total.figures(), "images_per_second": rate})
    trainer.epochs += 1
    return {**total.figures(), "images_per_second": rate}


def example_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of examples in an epoch: the same for the same seed on every machine."""
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(count)

"""Epochs over examples that are made batch by batch: validation, the best kept, stopping early, going on."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from clconv.errors import ConfigError
from clconv.training.batches import Batch
from clconv.training.fit import Epoch, History, Progress, example_order

if TYPE_CHECKING:
    from clconv.training.trainer import Trainer


class Examples(Protocol):
    """Where batches come from. Each is the same for the same epoch and place, so that a run that goes on sees what it
    would have seen."""

    def __len__(self) -> int: ...

    def batches(self, order: list[list[int]], epoch: int) -> Iterator[Batch]:
        """The examples of these numbers, batch by batch; epoch: -1 for validation, where nothing is random."""
        ...


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to do. patience: epochs without a better validation after which training stops; 0: never. checkpoint: the file of
    the latest state; the best one lies beside it."""

    epochs: int
    batch_size: int
    patience: int
    checkpoint: Path

    @property
    def best(self) -> Path:
        return self.checkpoint.with_suffix(".best" + self.checkpoint.suffix)


class Loop:
    """Trains over examples that are made as they are needed.

    on_epoch(number, figures) hears of each whole epoch.
    """

    def __init__(
        self,
        trainer: Trainer,
        examples: Examples,
        validation: Examples | None,
        plan: Plan,
        progress: Progress,
        on_epoch: Callable[[int, Mapping[str, float]], None],
    ) -> None:
        if plan.epochs < 1 or plan.batch_size < 1:
            raise ConfigError("epochs and batch size are at least 1")
        self._trainer, self._examples, self._validation = trainer, examples, validation
        self._plan, self._progress, self._on_epoch = plan, progress, on_epoch
        self.history: History = []

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self._examples) // self._plan.batch_size)

    def run(self) -> None:
        """To the last epoch, from wherever the trainer is. What interrupts it leaves a checkpoint."""
        trainer, plan = self._trainer, self._plan
        best, waited = self._figure_of_best(), 0
        try:
            while trainer.epochs < plan.epochs:
                figures = self._epoch()
                self.history.append(figures)
                self._on_epoch(trainer.epochs, figures)
                if (figure := _figure(figures)) < best:
                    best, waited = figure, 0
                    trainer.save(plan.best, note=repr(best))
                else:
                    waited += 1
                trainer.save(plan.checkpoint)
                if plan.patience and waited >= plan.patience:
                    return
        except BaseException:
            trainer.save(plan.checkpoint)
            raise

    def _figure_of_best(self) -> float:
        from clconv.training.checkpoint import load_checkpoint

        if not self._trainer.steps or not os.path.exists(self._plan.best):
            return float("inf")
        return float(load_checkpoint(self._plan.best)[1].get("note", "inf"))

    def _epoch(self) -> dict[str, float]:
        """The epoch, or what is left of it."""
        trainer, total, start = self._trainer, Epoch(), time.perf_counter()
        size, number = self._plan.batch_size, trainer.epochs
        order = example_order(trainer.seed, number, len(self._examples)).tolist()
        whole = [order[i : i + size] for i in range(0, len(order), size)]
        done = trainer.steps - number * self.steps
        for i, batch in enumerate(self._examples.batches(whole[done:], number), done + 1):
            total.join(trainer.learn(batch))
            rate = total.examples / (time.perf_counter() - start)
            figures = {**total.figures(), "images_per_second": rate}
            self._progress(number + 1, i, self.steps, figures)
        trainer.epochs += 1
        if self._validation is not None:
            count = len(self._validation)
            parts = [list(range(i, min(i + size, count))) for i in range(0, count, size)]
            found = trainer.measure(self._validation.batches(parts, -1))
            figures.update({f"val_{name}": value for name, value in found.items()})
        return figures


def _figure(figures: Mapping[str, float]) -> float:
    """What is to become small: the loss of the validation, or that of training where there is none."""
    return figures.get("val_loss", figures["loss"])

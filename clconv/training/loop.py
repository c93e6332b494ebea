"""Epochs over examples that are made batch by batch: validation, the best kept, stopping early, going on."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from clconv.errors import ConfigError, ModelError, TrainingError
from clconv.training.batches import Batch
from clconv.training.fit import Clock, Epoch, History, example_order
from clconv.training.interrupt import uninterrupted
from clconv.training.progress import Progress

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
class FitOptions:
    """What to do. patience: epochs without a better validation after which training stops; 0: never. checkpoint: the file of
    the latest state; the best one lies beside it. settings: all else on which the bits depend, by the names that a user
    knows; who goes on must have the same."""

    epochs: int
    batch_size: int
    patience: int
    checkpoint: Path
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)

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
        plan: FitOptions,
        progress: Progress,
        on_epoch: Callable[[int, Mapping[str, float]], None],
    ) -> None:
        if plan.epochs < 1 or plan.batch_size < 1:
            raise ConfigError("epochs and batch size are at least 1")
        self._trainer, self._examples, self._validation = trainer, examples, validation
        self._plan, self._progress, self._on_epoch = plan, progress, on_epoch
        self._best, self._waited, self._sums = math.inf, 0, Epoch()
        self.history: History = []

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self._examples) // self._plan.batch_size)

    def resume(self) -> None:
        """Goes back to where the checkpoint was written. Raises ModelError for a checkpoint of something else, ConfigError
        for one of a run with other settings."""
        note = self._trainer.load(self._plan.checkpoint)
        try:
            kept = json.loads(note)
            best, waited, sums, settings = (kept[k] for k in ("best", "waited", "sums", "settings"))
            self._best, self._waited, self._sums = float(best), int(waited), Epoch(**sums)
        except (ValueError, TypeError, KeyError):
            raise ModelError(
                f"{self._plan.checkpoint}: says nothing of how far a run was"
            ) from None
        for name, mine in self._plan.settings.items():
            if settings.get(name) != mine:
                raise ConfigError(
                    f"{self._plan.checkpoint} was made with {name} {settings.get(name)}, this run has {mine}: to go on "
                    "give what was given then, or begin anew"
                )

    def run(self) -> None:
        """To the last epoch, from wherever the trainer is. What interrupts it leaves a checkpoint; a loss that is no number
        leaves the last whole epoch's."""
        trainer, plan = self._trainer, self._plan
        try:
            while trainer.epochs < plan.epochs and not self._is_enough:
                figures = self._epoch()
                with uninterrupted():
                    self._end_epoch(figures)
                self._on_epoch(trainer.epochs, figures)
        except TrainingError:
            raise
        except BaseException:
            trainer.save(plan.checkpoint, self._note())
            raise

    @property
    def _is_enough(self) -> bool:
        return bool(self._plan.patience) and self._waited >= self._plan.patience

    def _end_epoch(self, figures: dict[str, float]) -> None:
        """Keeps the state after an epoch, and the best."""
        # What is to become small: the loss of the validation, or that of training where there is none.
        figure = figures.get("val_loss", figures["loss"])
        if not math.isfinite(figure):
            raise TrainingError(
                f"the loss is {figure} after epoch {self._trainer.epochs + 1}: the parameters are no use any more"
            )
        self._trainer.epochs += 1
        self._sums = Epoch()
        self.history.append(figures)
        if figure < self._best:
            self._best, self._waited = figure, 0
            self._trainer.save(self._plan.best)
        else:
            self._waited += 1
        self._trainer.save(self._plan.checkpoint, self._note())

    def _note(self) -> str:
        facts: dict[str, Any] = {"best": self._best, "waited": self._waited}
        sums = dataclasses.asdict(self._sums)
        return json.dumps(facts | {"sums": sums, "settings": dict(self._plan.settings)})

    def _epoch(self) -> dict[str, float]:
        """Learns the epoch, or what is left of it, and measures."""
        trainer, clock, seen = self._trainer, Clock(self._trainer), self._sums.examples
        size, number = self._plan.batch_size, trainer.epochs
        order = example_order(trainer.seed, number, len(self._examples)).tolist()
        whole = [order[i : i + size] for i in range(0, len(order), size)]
        done = trainer.steps - number * self.steps
        figures = self._sums.figures() if seen else {}
        for i, batch in enumerate(self._examples.batches(whole[done:], number), done + 1):
            self._sums.join(trainer.learn(batch))
            rate = (self._sums.examples - seen) / clock.seconds
            figures = {**self._sums.figures(), "images_per_second": rate}
            self._progress(number + 1, i, self.steps, figures)
        if self._validation is not None:
            count = len(self._validation)
            parts = [list(range(i, min(i + size, count))) for i in range(0, count, size)]
            found = trainer.measure(self._validation.batches(parts, -1))
            figures.update({f"val_{name}": value for name, value in found.items()})
        return figures

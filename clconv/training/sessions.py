"""The sessions of a trainer: one for each thing it does, made when it is first asked for, all on the same state."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.session.session import Session
from clconv.training.batches import Batch, Shapes
from clconv.training.losses import Loss, Targets
from clconv.training.memory import choose_segments, specs_of_batch
from clconv.training.model import Learner
from clconv.training.optimisers import Optimizer
from clconv.training.step import Objective, StepNames, StepWriter, compared_spec

_KINDS = ("train", "frozen")
_LARGE = 1 << 20  # bytes of a weight of which the host keeps no copy


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a step does. loss: None where `output` is the loss itself. clip: the largest norm of all gradients. budget:
    the most bytes of a step, None without a limit."""

    loss: Loss | None
    output: str
    optimizer: Optimizer
    batch_norm: str
    clip: float | None
    budget: int | None

    def __post_init__(self) -> None:
        if self.batch_norm not in _KINDS:
            raise InputError(f"batch_norm is one of {_KINDS}, not {self.batch_norm!r}")
        clip = self.clip
        if clip is not None and not (
            isinstance(clip, int | float | np.floating) and 0 < clip < math.inf
        ):
            raise InputError(f"clip_norm {clip}: the largest norm of all gradients is above 0")


class Sessions:
    """learner: what learns, its large weights read from the device. predicting: the session that needs no targets.
    segments: by batch size, where there is a budget."""

    def __init__(self, learner: Learner, settings: Settings, device: DeviceInfo) -> None:
        self.learner, self._settings, self._device = learner, settings, device
        statistics = learner.statistics if settings.batch_norm == "train" else ()
        self.held = (*learner.trained, *statistics)
        nothing = Objective(None, settings.output, TensorSpec(()), None)
        self.predicting = Session(
            StepWriter(learner, nothing, settings.batch_norm).prediction(),
            device,
            initial={name: learner.graph.constants[name].array for name in self.held},
        )
        self.state = self.predicting.state
        self.learner = dataclasses.replace(learner, graph=self.on_device(learner.graph))
        self.segments: dict[int, int] = {}
        self._segmented: dict[Shapes, int] = {}
        self._made: dict[tuple[Any, ...], tuple[Session, StepNames]] = {}
        self._compared: dict[Shapes, TensorSpec] = {}

    def on_device(self, graph: Graph) -> Graph:
        """A graph of the same network that holds no copy of the large weights that learn: they lie on the device, and are
        read from there as they are now."""
        moved = {
            name: Constant.reread(constant.spec, functools.partial(self.state.read, name))
            for name, constant in graph.constants.items()
            if name in self.held and constant.spec.nbytes >= _LARGE
        }
        return graph.replace(constants={**graph.constants, **moved}) if moved else graph

    def get(
        self,
        kind: str,
        batch: Batch,
        draw: tuple[int, int],
        share: float | None = None,
        last: bool = True,
    ) -> tuple[Session, StepNames, dict[str, np.ndarray]]:
        """A session, where its graph has what, and what it is fed.

        kind: "step", "gradients" or "evaluation". draw: the seed and the number of the drawing of what is dropped.
        share: the part that the batch is of a step's, None where it is the whole; last: whether it ends the step. Raises
        InputError for targets that do not fit.
        """
        targets = self._targets(batch)
        at = self._settings
        objective = Objective(at.loss, at.output, self._spec_of(batch), targets)
        writer = StepWriter(self.learner, objective, at.batch_norm)

        def step(segments: int) -> tuple[Graph, StepNames]:
            return writer.step(at.optimizer, at.clip, share is not None, last, segments)

        segments = 1
        if kind == "step" and self._settings.budget is not None:
            segments = self._segments_for(batch, lambda count: step(count)[0])
        key = (kind, targets, share is not None, last, segments)
        if key not in self._made:
            match kind:
                case "step":
                    graph, names = step(segments)
                case "gradients":
                    graph, names = writer.gradients()
                case _:
                    graph, names = writer.evaluation()
            self._made[key] = Session(graph, self._device, state=self.state), names
        session, names = self._made[key]
        feeds = dict(batch.inputs)
        if names.random:
            seed, number = draw
            feeds[names.random] = np.array([seed % 2**63, number], np.int64)
        if names.share:
            feeds[names.share] = np.array(share, np.float32)
        if targets is not None and batch.targets is not None:
            feeds[names.target] = np.ascontiguousarray(batch.targets, targets.dtype.numpy)
        return session, names, feeds

    def share(self, batch: Batch) -> float:
        """How much a batch counts beside others."""
        loss = self._settings.loss
        if loss is None or batch.targets is None:
            return float(batch.size)
        return loss.share(self._spec_of(batch), batch.targets)

    def _targets(self, batch: Batch) -> Targets | None:
        loss = self._settings.loss
        if loss is None:
            return None
        if batch.targets is None:
            raise InputError(f"{type(loss).__name__} compares the output with targets: give y")
        spec = self._spec_of(batch)
        found = loss.targets(spec, batch.targets)
        loss.check(spec, batch.targets)
        return found

    def _spec_of(self, batch: Batch) -> TensorSpec:
        """Spec of what the loss takes from inputs of these sizes; a network may leave other sizes than the batch's open."""
        if batch.shapes not in self._compared:
            at, given = self._settings, dict(batch.shapes)
            found = compared_spec(self.learner.graph, at.loss, at.output, given)
            self._compared[batch.shapes] = found
        return self._compared[batch.shapes]

    def _segments_for(self, batch: Batch, step: Callable[[int], Graph]) -> int:
        """Into how many segments the way is cut for batches of that size."""
        if batch.shapes not in self._segmented:
            given = {name: TensorSpec.of(array) for name, array in batch.inputs.items()}
            specs = specs_of_batch(step(1), batch.size) | given
            device, budget = self.predicting.device, self._settings.budget or 0
            self._segmented[batch.shapes] = choose_segments(step, specs, device, budget)
        self.segments[batch.size] = self._segmented[batch.shapes]
        return self.segments[batch.size]

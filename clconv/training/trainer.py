"""Trainer: a network that learns on a device."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from clconv.api import Source, read_model
from clconv.device.info import DeviceInfo
from clconv.errors import InputError, TrainingError
from clconv.frontend.onnx import export_onnx
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.runtime.bound import BoundPlan
from clconv.runtime.device import choose_device
from clconv.session.session import Session
from clconv.training.batches import Batch, Data, Shapes, batches, conform_data, part_off
from clconv.training.checkpoint import (
    check_checkpoint,
    check_moments,
    load_checkpoint,
    save_checkpoint,
)
from clconv.training.fit import Epoch, History, fit
from clconv.training.forms import inference_form
from clconv.training.interrupt import uninterrupted
from clconv.training.losses import Loss
from clconv.training.model import learner
from clconv.training.optimisers import Optimizer, as_optimizer
from clconv.training.progress import Progress
from clconv.training.room import prepare_batch, run_batch
from clconv.training.sessions import Sessions, Settings
from clconv.training.step import StepNames, choose_objective, moment_name
from clconv.training.way import check_way

Arrays = dict[str, np.ndarray]


class Trainer:
    """Trains a network on one OpenCL device: forward, loss, backward and update are one graph, and what learns stays on
    the device.

    model: an ONNX file or its bytes, a Graph, or a network of clconv.layers. loss: "cross_entropy",
    "binary_cross_entropy", "mse", "mae", "huber", "perceptron", one of clconv.losses, or the name of a scalar output of
    the network. optimizer: "sgd", "adam", "adamw", "adagrad", "rmsprop" with their defaults, or one of clconv.optim.
    device, precision: as load() takes them. output: which output the loss is of, the first by default. batch_norm:
    "train" takes the statistics of each batch and follows them, "frozen" keeps the file's. freeze: patterns of names
    of parameters that stay as they are. clip_norm: the largest norm of all gradients together. accumulate: how many
    parts a batch is computed in, whose gradients make one update. recompute: the most bytes that a step may take besides
    parameters and moments; what does not fit is computed anew on the way back. seed: of the order of examples and of dropout.

    `x` is an array where the network has one input, else a dict by name; axis 0 is the batch.

    Raises ModelError or UnsupportedError for a model that cannot be read or has operators without a gradient (all in
    one error), InputError for one without parameters or a wrong option, DeviceError.
    """

    def __init__(
        self,
        model: Source,
        loss: str | Loss | type[Loss] = "cross_entropy",
        optimizer: str | Optimizer | type[Optimizer] = "sgd",
        *,
        device: str | int | DeviceInfo | None = None,
        output: str | None = None,
        batch_norm: str = "train",
        freeze: Sequence[str] = (),
        clip_norm: float | None = None,
        accumulate: int = 1,
        recompute: int | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(accumulate, int | np.integer) or accumulate < 1:
            raise InputError(f"accumulate {accumulate}: a batch has at least one part")
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise InputError(f"seed {seed}: it is an integer, and not negative")
        self._given = read_model(model)
        self._learner = learner(self._given, freeze)
        self.optimizer = as_optimizer(optimizer)
        target, taken = choose_objective(self._given, loss, output)
        check_way(self._learner, taken)
        self._parts = accumulate
        self.seed, self.steps, self.epochs = seed, 0, 0
        settings = Settings(target, taken, self.optimizer, batch_norm, clip_norm, recompute)
        self._sessions = Sessions(self._learner, settings, choose_device(device))
        self._state = self._sessions.state
        self._ready: set[Shapes] = set()  # of inputs whose steps are compiled
        self.compiling = 0.0  # seconds that this took
        self._learner, self._given = self._sessions.learner, self._sessions.on_device(self._given)

    # What it knows.

    @property
    def inputs(self) -> dict[str, TensorSpec]:
        """Specs of what `x` holds, the batch open."""
        return self._learner.graph.input_specs()

    @property
    def segments(self) -> dict[int, int]:
        """By batch size, where recompute= asks for it: into how many parts the way forward is cut."""
        return dict(self._sessions.segments)

    @property
    def parameters(self) -> Arrays:
        """The parameters as they are now, by the file's names; frozen ones included."""
        constants = self._learner.graph.constants
        return {
            n: constants[n].array.copy() if n in self._learner.frozen else self._state.read(n)
            for n in self._learner.parameters
        }

    def described(self) -> str:
        """What learns, in words."""
        constants = self._learner.graph.constants
        trained, whole = (
            sum(constants[n].spec.size for n in names)
            for names in (self._learner.trained, self._learner.parameters)
        )
        return f"{trained:,} of {whole:,} weights learn on {self._sessions.predicting.device}"

    # What it does.

    def step(self, x: Data, y: np.ndarray | None = None) -> float:
        """One update from one batch; the loss before it. Raises InputError for data that do not fit, TrainingError for a
        loss that is no number."""
        return self.learn(conform_data(self.inputs, x, y)).loss

    def learn(self, batch: Batch) -> Epoch:
        """step() with the loss and how many were right. Ctrl-C waits until the update is whole, but for one that still has
        to compile."""
        if batch.shapes not in self._ready:
            self._prepare(batch)
        total = Epoch()
        parts = list(self._parts_of(batch))  # all are checked before the first is summed
        with uninterrupted():
            for part, session, names, feeds in parts:
                found = run_batch(session, feeds, part.size, batch.size, self._learner.nbytes)
                total.add(part.size, self._sessions.share(part), found, names)
            self.steps += 1
        if not np.isfinite(total.loss):
            raise _diverged(total.loss, self.steps, batch)
        return total

    def prepare(self, x: Data, y: np.ndarray | None = None) -> BoundPlan:
        """Plans and compiles a step for batches of this size, so that step() only runs; the plan, of the last part with
        `accumulate`. Nothing is learned."""
        return self._prepare(conform_data(self.inputs, x, y))

    def _prepare(self, batch: Batch) -> BoundPlan:
        began = time.perf_counter()
        for part, session, _, feeds in self._parts_of(batch):
            plan = prepare_batch(session, feeds, part.size, batch.size, self._learner.nbytes)
        self._ready.add(batch.shapes)
        self.compiling += time.perf_counter() - began
        return plan

    def gradients(self, x: Data, y: np.ndarray | None = None) -> Arrays:
        """The gradient of the loss with respect to each parameter that learns; nothing changes. Dropout drops what the
        next step() will."""
        batch = conform_data(self.inputs, x, y)
        draw = (self.seed, self.steps * self._parts)
        session, names, feeds = self._sessions.get("gradients", batch, draw)
        found = run_batch(session, feeds, batch.size)
        return {name: found[gradient] for name, gradient in names.gradients.items()}

    def evaluate(
        self, x: Data, y: np.ndarray | None = None, batch_size: int = 64
    ) -> dict[str, float]:
        """The loss, and with labels the accuracy, over all examples."""
        return self.measure(batches(conform_data(self.inputs, x, y), batch_size))

    def measure(self, parts: Iterable[Batch]) -> dict[str, float]:
        """evaluate() of examples that come batch by batch."""
        total = Epoch()
        for batch in parts:
            session, names, feeds = self._sessions.get("evaluation", batch, (self.seed, 0))
            found = run_batch(session, feeds, batch.size)
            total.add(batch.size, self._sessions.share(batch), found, names)
        return total.figures()

    def predict(self, x: Data, batch_size: int = 64) -> Any:
        """The network's output for all examples, as it is now; a dict by name if it has several. Outputs that are no array
        of examples, such as a loss, are left out."""
        whole = list(batches(conform_data(self.inputs, x, None), batch_size))
        parts = [run_batch(self._sessions.predicting, batch.inputs, batch.size) for batch in whole]
        # A loss of the network's own is of no example.
        names = [n for n, a in parts[0].items() if a.shape[:1] == (whole[0].size,)]
        found = {n: np.concatenate([part[n] for part in parts]) for n in names}
        return found[names[0]] if len(names) == 1 else found

    def fit(
        self,
        x: Data,
        y: np.ndarray | None = None,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        validation_data: tuple[Data, np.ndarray] | float | None = None,
        shuffle: bool = True,
        progress: Progress | None = None,
    ) -> History:
        """Learns from all examples, `epochs` times, in an order that the seed decides; returns the figures of each epoch.
        validation_data: (x, y) to measure after each, or the part of the examples that is held back for it, their last.
        progress: called after each step; by default a bar on a terminal, else a line an epoch on stderr."""
        if epochs < 1 or batch_size < 1:
            raise InputError(f"epochs={epochs}, batch_size={batch_size}: there is at least one")
        whole, held = conform_data(self.inputs, x, y), None
        if isinstance(validation_data, float):
            whole, held = part_off(whole, validation_data)
        elif validation_data is not None:
            if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
                raise InputError("validation_data is a pair (x, y), or a part such as 0.2")
            held = conform_data(self.inputs, *validation_data)
        return fit(self, whole, held, epochs, batch_size, shuffle, progress)

    # What is kept.

    def save(self, path: str | os.PathLike[str], note: str = "") -> None:
        """Writes parameters, running statistics, moments and how far training is as a safetensors file, from which
        load() goes on to the same bits. note: kept with it."""
        arrays = {name: self._state.read(name) for name in self._state.specs}
        facts = {
            "steps": str(self.steps),
            "epochs": str(self.epochs),
            "seed": str(self.seed),
            "optimizer": type(self.optimizer).__name__,
            "note": note,
        }
        save_checkpoint(path, arrays, facts)

    def load(self, path: str | os.PathLike[str]) -> str:
        """Goes on where save() was called; the note that it was given. Raises ModelError for a file of another network,
        optimiser or choice of what learns."""
        arrays, facts = load_checkpoint(path)
        constants, trained = self._learner.graph.constants, self._learner.trained
        held = {n: constants[n].spec for n in self._sessions.held}
        moments = {
            moment_name(n, m): constants[n].spec for n in trained for m in self.optimizer.moments
        }
        fixed = {*self._learner.parameters, *self._learner.statistics} - set(held)
        check_checkpoint(path, arrays, held, fixed)
        check_moments(path, arrays, facts, moments, type(self.optimizer).__name__)
        self._state.add({n: s for n, s in moments.items() if n in arrays})
        for name, spec in self._state.specs.items():  # before the first step there are no moments
            self._state.write(name, arrays.get(name, np.zeros(spec.shape, spec.dtype.numpy)))
        self.steps, self.epochs, self.seed = (int(facts[k]) for k in ("steps", "epochs", "seed"))
        return facts.get("note", "")

    def graph(self) -> Graph:
        """The network as it is now, for inference."""
        values = {name: Constant(self._state.read(name)) for name in self._sessions.held}
        given = inference_form(self._given)
        return given.replace(constants={**given.constants, **values})

    def export(self, path: str | os.PathLike[str]) -> None:
        """Writes the network as it is now as an ONNX file for inference. Raises ModelError if it cannot."""
        export_onnx(self.graph(), path)

    def _parts_of(self, batch: Batch) -> Iterator[tuple[Batch, Session, StepNames, Arrays]]:
        """The runs that make one update: of which examples, by which session, and what it is fed."""
        size = -(-batch.size // min(self._parts, batch.size))
        rates, parts = self.optimizer.rates(self.steps), list(batches(batch, size))
        whole = self._sessions.share(batch) if len(parts) > 1 else None
        for i, part in enumerate(parts):
            draw, share = (self.seed, self.steps * self._parts + i), None
            if whole is not None:  # where nothing counts, all gradients are 0
                share = self._sessions.share(part) / whole if whole else 0.0
            session, names, feeds = self._sessions.get("step", part, draw, share, part is parts[-1])
            feeds.update((s, np.array(rates[n], np.float32)) for n, s in names.scalars.items())
            yield part, session, names, feeds


def _diverged(loss: float, step: int, batch: Batch) -> TrainingError:
    wrong = [n for n, a in batch.inputs.items() if not np.isfinite(a).all()]
    cure = (
        f"Input '{wrong[0]}' holds NaN or infinity: leave such examples out"
        if wrong
        else "Take a lower learning rate, clip_norm=1.0, or inputs of a smaller range"
    )
    return TrainingError(
        f"the loss is {loss} at step {step}: the parameters are no use any more. {cure}, and begin anew or load() a "
        "checkpoint"
    )

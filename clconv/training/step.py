"""The graphs of learning: forward, loss, backward and update as one; the gradients alone; the loss alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from clconv.errors import InputError
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes.pool_before_relu import pool_before_relu
from clconv.graph.specialise.specialise import specialise
from clconv.training.forms import RANDOM, training_form
from clconv.training.losses import LAST_STEPS, LOSSES, Loss, Targets
from clconv.training.model import Learner
from clconv.training.optimisers import Optimizer
from clconv.training.writer import GraphWriter

TARGET = "target"


@dataclasses.dataclass(frozen=True)
class Objective:
    """What is minimised: a loss between an output and targets, or a scalar output of the network.

    loss: None for the latter. output: the name. spec: the output's, its batch open. targets: None without a loss.
    """

    loss: Loss | None
    output: str
    spec: TensorSpec
    targets: Targets | None


@dataclasses.dataclass(frozen=True)
class StepNames:
    """Where a graph of learning has what it is fed and gives."""

    target: str
    loss: str
    correct: str = ""
    counted: str = ""
    random: str = ""  # int64 (2), seed and step, where the network drops elements
    share: str = ""  # of a step, where a run is of a part of one
    scalars: Mapping[str, str] = dataclasses.field(default_factory=dict)
    gradients: Mapping[str, str] = dataclasses.field(default_factory=dict)


def moment_name(parameter: str, moment: str) -> str:
    """The state that holds a moment of a parameter."""
    return f"{parameter}//{moment}"


def logits(graph: Graph, loss: Loss | None, output: str) -> str:
    """The value that the loss takes: what the network's last step reads if that is part of the loss."""
    maker = graph.producers().get(output)
    steps = LAST_STEPS.get(type(loss), ()) if loss is not None else ()
    if maker is not None and maker.op in steps and maker.attrs.get("axis", 1) in (1, -1):
        return maker.inputs[0]
    return output


def compared_spec(
    graph: Graph, loss: Loss | None, output: str, given: Mapping[str, Sequence[int]] | None = None
) -> TensorSpec:
    """Spec of what the loss takes, for a batch of one where other sizes are known. given: shapes of what the inputs are
    fed, which a network may leave open."""
    taken = logits(graph, loss, output)
    if taken in graph.specs:
        return graph.specs[taken]
    shapes = {n: (given or {}).get(n, s.shape) for n, s in graph.input_specs().items()}
    sizes = {n: TensorSpec((1, *shapes[n][1:]), s.dtype) for n, s in graph.input_specs().items()}
    if not all(s.is_static for s in sizes.values()):
        return TensorSpec((None,))
    return specialise(graph.replace(outputs=(taken,)), sizes).graph.spec(taken)


class StepWriter:
    """Writes the graphs of one learner and objective."""

    def __init__(self, learner: Learner, objective: Objective, batch_norm: str) -> None:
        self.learner, self.objective = learner, objective
        self._train_statistics = batch_norm == "train"

    def evaluation(self) -> tuple[Graph, StepNames]:
        """Inputs, targets -> outputs, loss and what is right; parameters are state that is read."""
        to = GraphWriter(self.learner.graph)
        self._hold(to, self.learner.trained)
        if self._train_statistics:
            self._hold(to, self.learner.statistics)
        names = self._loss(to)
        return self._finish(to, names, self.learner.graph.outputs), names

    def prediction(self) -> Graph:
        """Inputs -> outputs."""
        to = GraphWriter(self.learner.graph)
        self._hold(to, self.learner.trained)
        if self._train_statistics:
            self._hold(to, self.learner.statistics)
        return to.finish(self.learner.graph.outputs, without=tuple(to.state))

    def gradients(self) -> tuple[Graph, StepNames]:
        """Inputs, targets -> loss and the gradient of each parameter; nothing changes."""
        to = self._learning(updates=False)
        names = self._loss(to)
        found = self._gradients(to, names)
        names = dataclasses.replace(names, gradients=found)
        return self._finish(to, names, tuple(found.values())), names

    def step(
        self,
        optimizer: Optimizer,
        clip: float | None,
        several: bool = False,
        last: bool = True,
        segments: int = 1,
    ) -> tuple[Graph, StepNames]:
        """Inputs, targets, scalars -> loss and what is right, and all state anew.

        clip: the largest norm of all gradients together. several: whether this is one of several micro-batches whose
        gradients make one step, each by its share; last: whether it ends it. segments: see
        graph/specialise/recompute.py.
        """
        to = self._learning(updates=True)
        names = self._loss(to)
        found = self._gradients(to, names, segments)
        if several:
            names = dataclasses.replace(names, share=to.add_input("share"))
            found = {n: self._summed(to, n, g, names.share, last) for n, g in found.items()}
        if last:
            if clip is not None:
                found = _clipped(to, found, clip)
            names = dataclasses.replace(names, scalars=self._update(to, found, optimizer))
        return self._finish(to, names, ()), names

    def _learning(self, updates: bool) -> GraphWriter:
        graph = self.learner.graph
        to, new = training_form(pool_before_relu(graph), self._train_statistics)
        self._hold(to, self.learner.trained)
        for name in new:
            to.add_state(name, graph.constants[name].spec, new[name] if updates else "")
        return to

    def _hold(self, to: GraphWriter, names: Sequence[str]) -> None:
        for name in names:
            to.add_state(name, self.learner.graph.constants[name].spec)

    def _loss(self, to: GraphWriter) -> StepNames:
        objective = self.objective
        random = to.labelled.get(RANDOM, "")
        if objective.loss is None or objective.targets is None:
            return StepNames("", objective.output, random=random)
        target = to.add_input(TARGET, objective.targets.shape, objective.targets.dtype)
        taken = logits(self.learner.graph, objective.loss, objective.output)
        args = (to, taken, objective.spec, target, objective.targets)
        loss = objective.loss.write(*args)
        right = objective.loss.write_correct(*args) or ("", "")
        return StepNames(target, loss, *right, random=random)

    def _gradients(self, to: GraphWriter, names: StepNames, segments: int = 1) -> dict[str, str]:
        trained = self.learner.trained
        found = [to.fresh(f"{name}.grad") for name in trained]
        to.nodes.append(
            make_node(
                "Gradient",
                (names.loss, *trained),
                found,
                to.fresh("gradient"),
                results=1,
                segments=segments,
            )
        )
        return dict(zip(trained, found, strict=True))

    def _summed(self, to: GraphWriter, name: str, gradient: str, share: str, last: bool) -> str:
        held = moment_name(name, "accumulated")
        spec = self.learner.graph.constants[name].spec
        total = to.one("Add", held, to.one("Mul", gradient, share))
        zeros = ""
        if last:
            zeros = to.one(
                "ConstantOfShape", to.ints(*spec.shape), value=0.0, dtype=spec.dtype.value
            )
        to.add_state(held, spec, zeros or total)
        return total

    def _update(
        self, to: GraphWriter, gradients: Mapping[str, str], optimizer: Optimizer
    ) -> dict[str, str]:
        scalars = {name: to.add_input(name) for name in optimizer.scalars()}
        for name, gradient in gradients.items():
            spec = self.learner.graph.constants[name].spec
            held = {m: moment_name(name, m) for m in optimizer.moments}
            weight, moments = optimizer.write(to, name, gradient, held, scalars)
            to.state[name] = weight
            for moment, new in moments.items():
                to.add_state(held[moment], spec, new)
        return scalars

    def _finish(self, to: GraphWriter, names: StepNames, more: Sequence[str]) -> Graph:
        outputs = [n for n in (names.loss, names.correct, names.counted, *more) if n]
        return to.finish(outputs, without=tuple(to.state))


def _clipped(to: GraphWriter, gradients: Mapping[str, str], most: float) -> dict[str, str]:
    """Scaled so that the norm of all together is at most `most` (Pascanu et al., 2013), as PyTorch's clip_grad_norm_."""
    squares = [to.one("ReduceSumSquare", g, keepdims=0) for g in gradients.values()]
    norm = to.one("Sqrt", to.one("Sum", *squares))
    ratio = to.one("Div", to.number(most), to.one("Add", norm, to.number(1e-6)))
    scale = to.one("Min", ratio, to.number(1.0))
    return {name: to.one("Mul", g, scale) for name, g in gradients.items()}


def choose_objective(
    graph: Graph, loss: str | Loss | type[Loss], output: str | None
) -> tuple[Loss | None, str]:
    """The loss, None if the network has its own, and the output that is compared or minimised."""
    chosen = graph.outputs[0] if output is None else output
    if chosen not in graph.outputs:
        raise InputError(f"no output '{chosen}'; the network has {list(graph.outputs)}")
    if isinstance(loss, type) and issubclass(loss, Loss):
        return loss(), chosen
    if isinstance(loss, Loss):
        return loss, chosen
    if loss in LOSSES:
        return LOSSES[loss](), chosen
    if loss in graph.outputs:
        return None, loss
    raise InputError(
        f"no loss '{loss}': there are {', '.join(LOSSES)}, those of clconv.losses, and the network's outputs "
        f"{list(graph.outputs)}"
    )

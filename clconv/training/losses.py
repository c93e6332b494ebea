"""Losses: what is minimised, as a scalar that nodes compute from a network's output and the targets."""

from __future__ import annotations

import dataclasses
from numbers import Real
from typing import Any

import numpy as np

from clconv.errors import ConfigError, InputError
from clconv.graph.ir import DType, TensorSpec
from clconv.training.writer import GraphWriter


@dataclasses.dataclass(frozen=True)
class Targets:
    """What the targets are, where a graph gets them: their spec, with the batch open."""

    shape: tuple[Any, ...]
    dtype: DType


@dataclasses.dataclass(frozen=True, kw_only=True)
class Loss:
    """The mean of a loss over a batch."""

    def targets(self, output: TensorSpec, given: np.ndarray) -> Targets:
        """What kind of targets `given` are; InputError if they do not fit an output of that spec."""
        if given.shape[1:] != output.shape[1:]:
            raise InputError(
                f"the targets have shape {given.shape}, the network's output {output.shape}: {type(self).__name__} "
                "compares them element by element"
            )
        return self.usual_targets(output)

    def usual_targets(self, output: TensorSpec) -> Targets:
        """What kind of targets an output of that spec has if nothing else is said."""
        return Targets(("batch", *output.shape[1:]), DType.FLOAT32)

    def check(self, output: TensorSpec, targets: np.ndarray) -> None:
        """InputError for targets that no loss can be computed of."""
        if targets.dtype.kind == "f" and not np.isfinite(targets).all():
            raise InputError("the targets hold NaN or infinity")

    def share(self, output: TensorSpec, targets: np.ndarray) -> float:
        """How much a batch counts beside others where their losses are put together: what its mean is over."""
        return float(len(targets))

    def write(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> str:
        """Writes the loss; returns the name of a scalar."""
        raise NotImplementedError

    def write_correct(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> tuple[str, str] | None:
        """Writes how many of the outputs are right, and of how many; None where that means nothing."""
        return None


_LEAST = 1e-30  # what a mean is divided by; weights of classes add up to more


def _mean(to: GraphWriter, value: str) -> str:
    return to.one("ReduceMean", value, keepdims=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CrossEntropy(Loss):
    """-log softmax(output)[label] along axis 1, averaged over what is not ignored; of probabilities -sum p log softmax.

    Targets: integer labels of the output's shape without axis 1 (one for an image, or one for a pixel), or
    probabilities of the output's shape. A Softmax at the end of the network is left out: it is part of the loss.

    label_smoothing: the part of each target that all classes share (Szegedy et al., 2016). ignore_index: a label that
    does not count; a batch of such labels alone has the loss 0 and the gradient 0, where PyTorch's are NaN. weight: one for
    each class, as PyTorch's.
    """

    label_smoothing: float = 0.0
    ignore_index: int = -100
    weight: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError(f"label_smoothing {self.label_smoothing} must be in 0 <= s < 1")
        if self.weight is not None:
            try:
                object.__setattr__(self, "weight", tuple(float(w) for w in self.weight))
            except (TypeError, ValueError):
                raise ConfigError(
                    f"weight {self.weight!r} must be a number for each class"
                ) from None

    def targets(self, output: TensorSpec, given: np.ndarray) -> Targets:
        if output.rank < 2:
            raise InputError(f"cross entropy needs an output (batch, classes, ...), got {output}")
        labels = (*output.shape[2:],)
        if given.dtype.kind in "iub" and given.shape[1:] == labels:
            return self.usual_targets(output)
        if given.shape[1:] == output.shape[1:]:  # integers are ones and zeros
            return Targets(("batch", *output.shape[1:]), DType.FLOAT32)
        raise InputError(
            f"the targets are {given.dtype.name} of {given.shape}; the output {output.shape} takes integer labels of "
            f"{(len(given), *labels)} or probabilities of {(len(given), *output.shape[1:])}"
        )

    def usual_targets(self, output: TensorSpec) -> Targets:
        return Targets(("batch", *output.shape[2:]), DType.INT64)

    def check(self, output: TensorSpec, targets: np.ndarray) -> None:
        super().check(output, targets)
        if targets.ndim == output.rank or not targets.size:
            return
        classes, labels = int(output.shape[1]), np.asarray(targets)
        wrong = (labels != self.ignore_index) & ((labels < 0) | (labels >= classes))
        if wrong.any():
            raise InputError(
                f"label {labels[wrong].reshape(-1)[0]} is outside 0..{classes - 1}: the network's output has {classes} "
                f"classes (ignored are labels of {self.ignore_index})"
            )

    def share(self, output: TensorSpec, targets: np.ndarray) -> float:
        if targets.ndim == output.rank:  # probabilities, which all count
            return super().share(output, targets)
        counted = targets[targets != self.ignore_index].astype(np.int64)
        if self.weight is None:
            return float(counted.size)
        return float(np.take(self.weight, counted, mode="clip").sum())

    def write(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> str:
        log = to.one("LogSoftmax", output, axis=1)
        classes = int(spec.shape[1])
        if kind.dtype is DType.INT64:
            wanted, counts = self._one_hot(to, target, spec.rank, classes)
        else:
            wanted, counts = self._smooth(to, target, classes), ""
        if self.weight is not None:
            wanted = to.one("Mul", wanted, self._weights(to, spec.rank, classes))
        total = to.one("Neg", to.one("ReduceSum", to.one("Mul", wanted, log), keepdims=0))
        if not counts:  # a mean over images and pixels
            size = to.one("Cast", to.one("Size", log), to="float32")
            counts = to.scaled(size, 1 / classes)
        # Where none counts: 0 / 0 would make NaN of all parameters.
        return to.one("Div", total, to.one("Max", counts, to.number(_LEAST)))

    def _one_hot(self, to: GraphWriter, labels: str, rank: int, classes: int) -> tuple[str, str]:
        """Ones at the labels, smoothed, zeros where they are ignored; and what to divide by."""
        column = to.one("Unsqueeze", labels, to.ints(1))
        numbers = np.arange(classes).reshape(1, classes, *[1] * (rank - 2))
        hot = to.one("Cast", to.one("Equal", column, to.constant(numbers, "classes")), to="float32")
        ignored = to.one("Equal", column, to.constant(np.array(self.ignore_index), "ignored"))
        counted = to.one("Cast", to.one("Not", ignored), to="float32")
        smooth = to.one("Mul", self._smooth(to, hot, classes), counted)
        if self.weight is None:
            return smooth, to.one("ReduceSum", counted, keepdims=0)
        own = to.one("Mul", hot, self._weights(to, rank, classes))
        return smooth, to.one("ReduceSum", to.one("Mul", own, counted), keepdims=0)

    def _smooth(self, to: GraphWriter, wanted: str, classes: int) -> str:
        s = self.label_smoothing
        if not s:
            return wanted
        return to.one("Add", to.scaled(wanted, 1 - s), to.number(s / classes))

    def _weights(self, to: GraphWriter, rank: int, classes: int) -> str:
        weight = np.array(self.weight, np.float32)
        if weight.shape != (classes,):
            raise ConfigError(f"{weight.size} class weights for {classes} classes")
        return to.constant(weight.reshape(1, classes, *[1] * (rank - 2)), "weight")

    def write_correct(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> tuple[str, str] | None:
        found = to.one("ArgMax", output, axis=1, keepdims=0)
        if kind.dtype is not DType.INT64:  # probabilities, which all count
            wanted = to.one("ArgMax", target, axis=1, keepdims=0)
            hits = to.one("Cast", to.one("Equal", found, wanted), to="float32")
            size = to.one("Cast", to.one("Size", hits), to="float32")
            return to.one("ReduceSum", hits, keepdims=0), size
        right = to.one("Cast", to.one("Equal", found, target), to="float32")
        ignored = to.one("Equal", target, to.constant(np.array(self.ignore_index), "ignored"))
        counted = to.one("Cast", to.one("Not", ignored), to="float32")
        return (
            to.one("ReduceSum", to.one("Mul", right, counted), keepdims=0),
            to.one("ReduceSum", counted, keepdims=0),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BinaryCrossEntropy(Loss):
    """Of logits x and targets t in 0..1: max(x, 0) - x t + log(1 + exp(-|x|)). A Sigmoid at the end of the network is
    left out: it is part of the loss."""

    def check(self, output: TensorSpec, targets: np.ndarray) -> None:
        super().check(output, targets)
        if targets.size and not (targets.min() >= 0 and targets.max() <= 1):
            raise InputError(
                f"targets from {targets.min()} to {targets.max()}; binary cross entropy takes 0 to 1"
            )

    def write(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> str:
        return _mean(to, to.one("Sub", to.one("Softplus", output), to.one("Mul", output, target)))

    def write_correct(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> tuple[str, str] | None:
        zero, half = to.number(0), to.number(0.5)
        found = to.one("Greater", output, zero)
        right = to.one("Not", to.one("Xor", found, to.one("Greater", target, half)))
        counts = to.one("Cast", right, to="float32")
        size = to.one("Cast", to.one("Size", output), to="float32")
        return to.one("ReduceSum", counts, keepdims=0), size


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanSquaredError(Loss):
    """The mean of (output - target)^2."""

    def write(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> str:
        difference = to.one("Sub", output, target)
        return _mean(to, to.one("Mul", difference, difference))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanAbsoluteError(Loss):
    """The mean of |output - target|."""

    def write(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> str:
        return _mean(to, to.one("Abs", to.one("Sub", output, target)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Huber(Loss):
    """d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = output - target (Huber, 1964)."""

    delta: float = 1.0

    def __post_init__(self) -> None:
        if not (isinstance(self.delta, Real) and self.delta > 0):
            raise ConfigError(f"delta {self.delta!r} must be a number above 0")

    def write(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> str:
        size = to.one("Abs", to.one("Sub", output, target))
        # With c = min(|d|, delta): c (|d| - c / 2).
        cut = to.one("Min", size, to.number(self.delta))
        return _mean(to, to.one("Mul", cut, to.one("Sub", size, to.scaled(cut, 0.5))))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Perceptron(Loss):
    """max(0, -target output) for targets of -1 and 1: its gradient step is Rosenblatt's rule (1958), which corrects
    errors only. A sum over the outputs, a mean over the batch."""

    def check(self, output: TensorSpec, targets: np.ndarray) -> None:
        super().check(output, targets)
        if not np.isin(targets, (-1, 1)).all():
            raise InputError("the perceptron's targets are -1 and 1")

    def write(
        self, to: GraphWriter, output: str, spec: TensorSpec, target: str, kind: Targets
    ) -> str:
        wrong = to.one("Relu", to.one("Neg", to.one("Mul", output, target)))
        axes = to.ints(*range(1, spec.rank))
        each = to.one("ReduceSum", wrong, axes, keepdims=0) if spec.rank > 1 else wrong
        return _mean(to, each)


LOSSES: dict[str, type[Loss]] = {
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
    "perceptron": Perceptron,
}

# A last step that is part of the loss itself: the loss takes what it reads.
LAST_STEPS: dict[type[Loss], tuple[str, ...]] = {
    CrossEntropy: ("Softmax", "LogSoftmax"),
    BinaryCrossEntropy: ("Sigmoid",),
}

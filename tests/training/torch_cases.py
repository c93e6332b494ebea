"""What is compared with PyTorch, apart from the networks: losses, optimisers; and how arrays are kept small."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clconv import losses, optim
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.training.losses import Loss
from clconv.training.optimisers import Optimizer
from tests.training.zoo import ZOO

FOLDER = Path(__file__).with_name("torch")
STEPS = 50
PROJECTIONS, SAMPLES = 4, 48


@dataclasses.dataclass(frozen=True)
class Curve:
    """A network that learns from batches in turn; the losses of STEPS steps."""

    network: str
    optimizer: Optimizer
    slow: bool = False
    batch: int = 8
    batches: int = 4

    def data(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """A batch for each step."""
        x, y = ZOO[self.network].data(self.batch * self.batches)
        for step in range(STEPS):
            start = step % self.batches * self.batch
            yield x[start : start + self.batch], y[start : start + self.batch]


CURVES: Mapping[str, Curve] = {
    "mlp-sgd": Curve("mlp", optim.SGD(lr=0.05, momentum=0.9, weight_decay=5e-4)),
    "mlp-nesterov": Curve("mlp", optim.SGD(lr=0.05, momentum=0.9, nesterov=True)),
    "mlp-adam": Curve("mlp", optim.Adam(lr=3e-3)),
    "mlp-adamw": Curve("mlp", optim.AdamW(lr=3e-3, weight_decay=0.1)),
    "mlp-adagrad": Curve("mlp", optim.Adagrad(lr=0.05)),
    "mlp-rmsprop": Curve("mlp", optim.RMSprop(lr=1e-3, momentum=0.5, centered=True)),
    "lenet-sgd": Curve("lenet", optim.SGD(lr=0.02, momentum=0.9)),
    "lenet-adam": Curve("lenet", optim.Adam(lr=1e-3), slow=True),
    "lenet-adamw": Curve("lenet", optim.AdamW(lr=1e-3), slow=True),
    # Inputs that differ by 3e-7 of themselves move the curve by 2e-3 within its 50 steps, at a rate of 2e-3 by 4e-3.
    "resnet20-sgd": Curve("resnet20", optim.SGD(lr=5e-4, momentum=0.9), slow=True),
    "resnet20-adam": Curve("resnet20", optim.Adam(lr=3e-4), slow=True),
    "resnet20-adamw": Curve("resnet20", optim.AdamW(lr=3e-4), slow=True),
}


@dataclasses.dataclass(frozen=True)
class LossCase:
    """A loss of logits of a shape. kind: of the targets: labels, ignored (some labels are), probabilities, numbers,
    bits (0 to 1) or signs."""

    loss: Loss
    shape: tuple[int, ...]
    kind: str

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(5)
        logits = (2 * rng.standard_normal(self.shape)).astype(np.float32)
        n, classes, *rest = self.shape
        if self.kind in ("labels", "ignored"):
            found = rng.integers(0, classes, (n, *rest))
            if self.kind == "ignored":
                found[rng.random(found.shape) < 0.3] = getattr(self.loss, "ignore_index")  # noqa: B009
                found.reshape(-1)[0] = 1
            return logits, found
        drawn = rng.random(self.shape)
        if self.kind == "probabilities":
            drawn = drawn / drawn.sum(1, keepdims=True)
        elif self.kind == "signs":
            drawn = np.where(drawn > 0.5, 1, -1)
        elif self.kind == "numbers":
            drawn = 2 * rng.standard_normal(self.shape)
        return logits, drawn.astype(np.float32)

    def graph(self) -> Graph:
        """Its logits are its only parameter: what it gives is x, zeros, and that."""
        logits, _ = self.data()
        nodes = (make_node("Identity", ("x",), ("h",)), make_node("Add", ("h", "w"), ("y",)))
        spec = TensorSpec(("n", *self.shape[1:]))
        return Graph("logits", nodes, ("x",), ("y",), {"x": spec}, {"w": Constant(logits)})


_WEIGHT = (0.5, 2.0, 1.0, 0.25, 3.0)
_CE = losses.CrossEntropy
LOSS_CASES: Mapping[str, LossCase] = {
    "ce": LossCase(_CE(), (7, 5), "labels"),
    "ce-smooth": LossCase(_CE(label_smoothing=0.1), (7, 5), "labels"),
    "ce-ignored": LossCase(_CE(ignore_index=255), (9, 5), "ignored"),
    "ce-weights": LossCase(_CE(weight=_WEIGHT), (7, 5), "labels"),
    "ce-weights-ignored": LossCase(_CE(weight=_WEIGHT), (9, 5), "ignored"),
    "ce-weights-smooth-ignored": LossCase(
        _CE(weight=_WEIGHT, label_smoothing=0.2), (9, 5), "ignored"
    ),
    "ce-pixels": LossCase(_CE(), (2, 5, 4, 3), "labels"),
    "ce-pixels-all": LossCase(
        _CE(weight=_WEIGHT, label_smoothing=0.1, ignore_index=2), (2, 5, 4, 3), "ignored"
    ),
    "ce-probabilities": LossCase(_CE(), (7, 5), "probabilities"),
    "ce-probabilities-smooth": LossCase(
        _CE(label_smoothing=0.1, weight=_WEIGHT), (7, 5), "probabilities"
    ),
    "ce-probabilities-pixels": LossCase(_CE(), (2, 5, 3, 3), "probabilities"),
    "bce": LossCase(losses.BinaryCrossEntropy(), (6, 4), "bits"),
    "mse": LossCase(losses.MeanSquaredError(), (6, 4), "numbers"),
    "mae": LossCase(losses.MeanAbsoluteError(), (6, 4), "numbers"),
    "huber": LossCase(losses.Huber(), (6, 4), "numbers"),
    "huber-wide": LossCase(losses.Huber(delta=2.5), (6, 4, 3), "numbers"),
    "perceptron": LossCase(losses.Perceptron(), (6, 1), "signs"),
    "perceptron-several": LossCase(losses.Perceptron(), (6, 4), "signs"),
}


def sketch(name: str, array: Any) -> np.ndarray:
    """Of an array its largest element, its norm, its products with vectors of +-1, and some of its elements."""
    flat = np.asarray(array, np.float64).reshape(-1)
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    rng = np.random.default_rng(key)
    signs = rng.integers(0, 2, (PROJECTIONS, flat.size)) * 2 - 1
    where = rng.integers(0, flat.size, SAMPLES)
    head = [np.abs(flat).max(), np.linalg.norm(flat)]
    return np.concatenate([head, signs @ flat, flat[where]])


def sketch_error(name: str, array: Any, kept: np.ndarray, largest: float = 1.0) -> float:
    """The largest error of an array over its largest element, as far as its sketch tells; projections and the norm over
    the root of the number of elements, as errors of so many elements would add up. largest: takes the place of the
    largest element where that is 0 but for rounding."""
    found = sketch(name, array)
    scale = np.full(found.size, kept[0] if kept[0] > 1e-12 * largest else largest)
    scale[1 : 2 + PROJECTIONS] *= np.sqrt(np.asarray(array).size)
    return float((np.abs(found - kept) / scale).max())

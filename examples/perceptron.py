"""The Mark 1 perceptron (Rosenblatt, 1957): 20x20 photocells, outputs of 0 or 1, and the error-correction rule.

    output = 1 if weights . cells + bias > 0 else 0
    weights += (wanted - output) cells

The rule is the gradient step of (output - wanted) (weights . cells + bias), where the output counts as fixed.
"""

from __future__ import annotations

import numpy as np
from data import digits, picture_option

import clconv
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node

CELLS = 400


def mark_1(outputs: int) -> Graph:
    """Photocells and what is wanted -> outputs, and the quantity whose gradient is the rule."""
    nodes = (
        make_node("Gemm", ["cells", "weights", "bias"], ["sums"]),
        make_node("Greater", ["sums", "zero"], ["fires"]),
        make_node("Cast", ["fires"], ["outputs"], to="float32"),
        make_node("Sub", ["outputs", "wanted"], ["errors"]),
        make_node("Mul", ["errors", "sums"], ["terms"]),
        make_node("ReduceSum", ["terms"], ["objective"], keepdims=0),
    )
    constants = {
        "weights": Constant(np.zeros((CELLS, outputs), np.float32)),
        "bias": Constant(np.zeros(outputs, np.float32)),
        "zero": Constant(np.array(0, np.float32)),
    }
    specs = {"cells": TensorSpec(("n", CELLS)), "wanted": TensorSpec(("n", outputs))}
    return Graph("mark 1", nodes, tuple(specs), ("outputs", "objective"), specs, constants)


def photocells(images: np.ndarray) -> np.ndarray:
    """The middle 20x20 pixels of each digit: lit or not."""
    return (images[:, 4:24, 4:24] > 0.5).reshape(-1, CELLS).astype(np.float32)


def train(
    cells: np.ndarray, wanted: np.ndarray, most: int = 60
) -> tuple[clconv.Trainer, list[int]]:
    """Shows one pattern after the other until a whole round has no error; the errors of each round."""
    trainer = clconv.Trainer(
        mark_1(wanted.shape[1]), "objective", clconv.optim.SGD(lr=1.0), output="outputs"
    )
    rounds: list[int] = []
    while len(rounds) < most and (not rounds or rounds[-1]):
        for x, y in zip(cells, wanted, strict=True):
            trainer.step({"cells": x[np.newaxis], "wanted": y[np.newaxis]})
        found = trainer.predict({"cells": cells, "wanted": wanted})
        rounds.append(int((found != wanted).any(1).sum()))
    return trainer, rounds


def by_hand(cells: np.ndarray, wanted: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """The same rule in NumPy."""
    weights, bias = (
        np.zeros((CELLS, wanted.shape[1]), np.float32),
        np.zeros(wanted.shape[1], np.float32),
    )
    for _ in range(rounds):
        for x, y in zip(cells, wanted, strict=True):
            error = y - (x @ weights + bias > 0)
            weights += x[:, np.newaxis] * error
            bias += error
    return weights, bias


def save_picture(weights: np.ndarray, path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, weights.shape[1], figsize=(1.6 * weights.shape[1], 2), squeeze=False
    )
    for digit, axis in enumerate(axes[0]):
        most = np.abs(weights[:, digit]).max() or 1
        axis.imshow(weights[:, digit].reshape(20, 20), cmap="RdBu_r", vmin=-most, vmax=most)
        axis.set_title(str(digit))
        axis.axis("off")
    figure.savefig(path, dpi=100, bbox_inches="tight")
    pyplot.close(figure)


def main() -> None:
    path = picture_option("perceptron.png")
    images, labels = digits()
    few = np.concatenate([np.flatnonzero(labels == digit)[:20] for digit in range(10)])
    few = np.random.default_rng(0).permutation(few)
    cells, wanted = photocells(images[few]), np.eye(10, dtype=np.float32)[labels[few]]
    trainer, rounds = train(cells, wanted)
    print(f"patterns with an error after each round: {rounds}")
    weights, bias = by_hand(cells, wanted, len(rounds))
    same = (weights == trainer.parameters["weights"]).all() and (
        bias == trainer.parameters["bias"]
    ).all()
    print(f"weights equal those of a NumPy loop to the bit: {bool(same)}")
    save_picture(trainer.parameters["weights"], str(path))
    print(f"{path}: what each output's weights look for")


if __name__ == "__main__":
    main()

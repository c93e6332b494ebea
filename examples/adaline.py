"""Adaline and Madaline (Widrow and Hoff, 1960): the error is measured before the threshold.

An Adaline's weights follow the LMS rule, weights += rate (wanted - sum) x, and come to those of least squares. A Madaline
is several Adalines under a fixed majority. It learns by minimal disturbance (rule I of Ridgway, 1962): where the answer
is wrong, the Adaline whose sum is nearest to zero among those that disagree is turned over.
"""

from __future__ import annotations

import numpy as np
from data import picture_option

import clconv
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node


def adalines(inputs: int, units: int, seed: int = 0) -> Graph:
    """x -> sums; the objective's gradient step is the LMS rule, for sums whose wanted value differs."""
    nodes = (
        make_node("Gemm", ["x", "weights", "bias"], ["sums"]),
        make_node("Sub", ["sums", "wanted"], ["errors"]),
        make_node("Mul", ["errors", "errors"], ["squares"]),
        make_node("ReduceSum", ["squares"], ["total"], keepdims=0),
        make_node("Mul", ["total", "half"], ["objective"]),
    )
    rng = np.random.default_rng(seed)
    constants = {
        "weights": Constant(rng.uniform(-0.5, 0.5, (inputs, units)).astype(np.float32)),
        "bias": Constant(rng.uniform(-0.5, 0.5, units).astype(np.float32)),
        "half": Constant(np.array(0.5, np.float32)),
    }
    specs = {"x": TensorSpec(("n", inputs)), "wanted": TensorSpec(("n", units))}
    return Graph("adalines", nodes, tuple(specs), ("sums", "objective"), specs, constants)


def trainer_of(graph: Graph, rate: float) -> clconv.Trainer:
    return clconv.Trainer(graph, "objective", clconv.optim.SGD(lr=rate), output="sums")


def least_squares(rounds: int = 400) -> tuple[float, list[float]]:
    """Trains an Adaline on noisy data; the distance from numpy.linalg.lstsq's weights, and the errors on the way."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 6)).astype(np.float32)
    wanted = np.sign(
        x @ rng.standard_normal((6, 1)) + 0.5 * rng.standard_normal((200, 1)) + 0.3
    ).astype(np.float32)
    trainer = trainer_of(adalines(6, 1), rate=1 / 400)
    errors = [trainer.step({"x": x, "wanted": wanted}) / 100 for _ in range(rounds)]
    best = np.linalg.lstsq(np.hstack([x, np.ones((200, 1))]), wanted, rcond=None)[0]
    found = np.vstack([trainer.parameters["weights"], trainer.parameters["bias"]])
    return float(np.abs(found - best).max()), errors


class Madaline:
    """Adalines whose signs are put to the vote: 1 if any says 1 ("or"), or if more than half do ("majority")."""

    def __init__(self, inputs: int, units: int, vote: str, seed: int = 0) -> None:
        self.trainer = trainer_of(adalines(inputs, units, seed), rate=1 / (inputs + 1))
        self.needed = 1 if vote == "or" else units // 2 + 1
        self.units = units

    def sums(self, x: np.ndarray) -> np.ndarray:
        unused = np.zeros((len(x), self.units), np.float32)
        return self.trainer.predict({"x": x, "wanted": unused})

    def answers(self, x: np.ndarray) -> np.ndarray:
        return np.where((self.sums(x) > 0).sum(1) >= self.needed, 1, -1)

    def learn(self, x: np.ndarray, wanted: int) -> bool:
        """Corrects the answer to one input by minimal disturbance; whether it was wrong."""
        row = x[np.newaxis]
        wrong = False
        while self.answers(row)[0] != wanted:
            sums = self.sums(row)
            against = np.flatnonzero(np.sign(sums[0]) != wanted)
            nearest = against[np.abs(sums[0, against]).argmin()]
            target = sums.copy()
            target[0, nearest] = wanted
            self.trainer.step({"x": row, "wanted": target})
            wrong = True
        return wrong


def solve_xor(
    units: int = 2, vote: str = "or", most: int = 100, seed: int = 0
) -> tuple[Madaline, int, bool]:
    """A Madaline on XOR: how many rounds it took, and whether all four answers are right."""
    x = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], np.float32)
    wanted = np.array([-1, 1, 1, -1])
    madaline = Madaline(2, units, vote, seed)
    for number in range(1, most + 1):
        for row, answer in zip(x, wanted, strict=True):
            madaline.learn(row, int(answer))
        if (madaline.answers(x) == wanted).all():
            return madaline, number, True
    return madaline, most, False


def save_picture(errors: list[float], madaline: Madaline, path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.5))
    left.semilogy(errors)
    left.set(title="Adaline: mean squared error", xlabel="step")
    side = np.linspace(-2, 2, 120, dtype=np.float32)
    points = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    right.contourf(
        side, side, madaline.answers(points).reshape(120, 120), levels=[-2, 0, 2], alpha=0.4
    )
    right.scatter([-1, 1], [-1, 1], marker="_", s=200, color="black")
    right.scatter([-1, 1], [1, -1], marker="+", s=200, color="black")
    right.set(title="Madaline: XOR", aspect="equal")
    figure.savefig(path, dpi=100, bbox_inches="tight")
    pyplot.close(figure)


def main() -> None:
    path = picture_option("adaline.png")
    distance, errors = least_squares()
    print(
        f"Adaline: mean squared error {errors[0]:.3f} -> {errors[-1]:.3f}; farthest from the weights of least squares: {distance:.1e}"
    )
    _, rounds, solved = solve_xor(units=1)
    print(f"one Adaline on XOR: {'right' if solved else 'never all right'} in {rounds} rounds")
    madaline, rounds, solved = solve_xor()
    print(
        f"a Madaline of two under OR: {'all four right' if solved else 'not solved'} after {rounds} rounds"
    )
    save_picture(errors, madaline, str(path))
    print(f"{path}: the error of the Adaline, and where the Madaline says +")


if __name__ == "__main__":
    main()

"""Pre-training a deep network layer by layer (Hinton, Osindero and Teh, 2006; Hinton and Salakhutdinov, 2006).

A restricted Boltzmann machine (RBM) learns by contrastive divergence: it sees v0, imagines v1, and lowers its free energy
of v0 against that of v1. Each layer's answers train the next RBM. The stack is unrolled to an autoencoder, 784 numbers to
30 and back, and fine-tuned by back-propagation, as is the same network from random weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from data import digits, picture_option

import clconv
from clconv import layers as L
from clconv import optim
from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import make_node

SIZES = (784, 500, 250, 100, 30)
_STEPS_OF_ONE = 4096.0


@dataclasses.dataclass
class Layer:
    """Weights (visible, hidden) and the biases of either side."""

    weights: np.ndarray
    hidden: np.ndarray
    visible: np.ndarray


def rbm(visible: int, hidden: int, gaussian: str = "", seed: int = 0) -> Graph:
    """Data v0 and uniform random numbers -> what the hidden units answer, the squared error of v1, and the energy whose
    gradient is the update of CD-1.

    gaussian: "visible" for data of mean 0 and deviation 1, "hidden" for units without bounds (the innermost ones of the
    autoencoder; their random numbers are of the normal distribution), else all units are between 0 and 1.

    F(v) = -a v - sum softplus(v W + b), where the second term is (v W + b)^2 / 2 for Gaussian hidden units; Gaussian
    visible ones add v^2 / 2, which no parameter changes. The energy is F(v0) - F(v1). v1 counts as given: it is rounded,
    finely, and what is rounded carries no gradient.
    """
    linear = gaussian == "hidden"
    nodes = [
        make_node("Gemm", ["v0", "weights", "hidden"], ["sums0"]),
        *_answers("sums0", "h0", linear),
        *_drawn("sums0" if linear else "h0", "chance", "sample", linear),
        make_node("Gemm", ["sample", "weights", "visible"], ["back"], transB=1),
        *_answers("back", "imagined", gaussian == "visible"),
        make_node("Mul", ["imagined", "steps_of_one"], ["fine"]),
        make_node("Round", ["fine"], ["rounded"]),
        make_node("Div", ["rounded", "steps_of_one"], ["v1"]),
        make_node("Gemm", ["v1", "weights", "hidden"], ["sums1"]),
        *_free_energy("v0", "sums0", "-F0", linear),
        *_free_energy("v1", "sums1", "-F1", linear),
        make_node("Sub", ["-F1", "-F0"], ["difference"]),
        make_node("ReduceMean", ["difference"], ["energy"], keepdims=0),
        make_node("Sub", ["v0", "v1"], ["errors"]),
        make_node("ReduceSumSquare", ["errors", "last"], ["error"], keepdims=0),
    ]
    rng = np.random.default_rng(seed)
    constants = {
        "weights": Constant(rng.normal(0, 0.05, (visible, hidden)).astype(np.float32)),
        "hidden": Constant(np.zeros(hidden, np.float32)),
        "visible": Constant(np.zeros(visible, np.float32)),
        "steps_of_one": Constant(np.array(_STEPS_OF_ONE, np.float32)),
        "half": Constant(np.array(0.5, np.float32)),
        "last": Constant(np.array([1])),
    }
    specs = {"v0": TensorSpec(("n", visible)), "chance": TensorSpec(("n", hidden))}
    return Graph("rbm", tuple(nodes), tuple(specs), ("h0", "error", "energy"), specs, constants)


def _answers(sums: str, to: str, linear: bool) -> list[Node]:
    return [make_node("Identity" if linear else "Sigmoid", [sums], [to])]


def _drawn(mean: str, chance: str, to: str, linear: bool) -> list[Node]:
    """1 with the probability `mean`, or a number around it."""
    if linear:
        return [make_node("Add", [mean, chance], [to])]
    return [
        make_node("Less", [chance, mean], [f"{to}_is"]),
        make_node("Cast", [f"{to}_is"], [to], to="float32"),
    ]


def _free_energy(v: str, sums: str, to: str, squares: bool) -> list[Node]:
    """Of each row, (n)."""
    if squares:
        second = [
            make_node("ReduceSumSquare", [sums, "last"], [f"{to}_twice"], keepdims=0),
            make_node("Mul", [f"{to}_twice", "half"], [f"{to}_second"]),
        ]
    else:
        second = [
            make_node("Softplus", [sums], [f"{to}_soft"]),
            make_node("ReduceSum", [f"{to}_soft", "last"], [f"{to}_second"], keepdims=0),
        ]
    return [
        make_node("MatMul", [v, "visible"], [f"{to}_first"]),
        *second,
        make_node("Add", [f"{to}_first", f"{to}_second"], [to]),
    ]


def train_rbm(
    x: np.ndarray, hidden: int, epochs: int, gaussian: str = "", batch: int = 100, seed: int = 0
) -> tuple[Layer, np.ndarray, list[float]]:
    """The layer that CD-1 finds, what it answers to x, and the squared error of what it imagined after each epoch."""
    rate = 0.1 if not gaussian else 0.002
    trainer = clconv.Trainer(
        rbm(x.shape[1], hidden, gaussian, seed),
        "energy",
        optim.SGD(lr=rate, momentum=0.8, weight_decay=2e-4),
    )
    rng = np.random.default_rng(seed)
    draw = rng.standard_normal if gaussian == "hidden" else rng.random
    errors = []
    for _ in range(epochs):
        for rows in rng.permutation(len(x))[: len(x) // batch * batch].reshape(-1, batch):
            trainer.step({"v0": x[rows], "chance": draw((batch, hidden)).astype(np.float32)})
        chance = draw((len(x), hidden)).astype(np.float32)
        found = trainer.predict({"v0": x, "chance": chance}, batch_size=500)
        errors.append(float(found["error"].mean()))
    parameters = trainer.parameters
    layer = Layer(parameters["weights"], parameters["hidden"], parameters["visible"])
    return layer, found["h0"], errors


def pretrain(
    x: np.ndarray, hidden: Sequence[int], epochs: int, gaussian: Mapping[int, str], batch: int = 100
) -> list[Layer]:
    """A stack of RBMs, each on the answers of the one before. gaussian: which units of an RBM are, by its place."""
    stack = []
    for i, units in enumerate(hidden):
        layer, x, errors = train_rbm(x, units, epochs, gaussian.get(i, ""), batch, seed=i)
        print(
            f"RBM {i + 1}, {len(layer.visible)} x {units}: squared error {errors[0]:.2f} -> {errors[-1]:.2f}"
        )
        stack.append(layer)
    return stack


def autoencoder(sizes: Sequence[int], stack: Sequence[Layer] = (), seed: int = 0) -> Graph:
    """sizes[0] to sizes[-1] numbers and back: sigmoid units but in the middle; weights of the stack, else random ones."""
    widths = [*sizes[1:], *sizes[-2::-1]]
    steps: list[L.Layer] = []
    for i, width in enumerate(widths):
        steps += [L.Dense(width, name=f"dense_{i + 1}")]
        steps += [] if i == len(sizes) - 2 else [L.Sigmoid()]
    graph = L.Sequential(*steps).build((sizes[0],), batch=None, seed=seed)
    values = {}
    for i, layer in enumerate(stack):
        up, down = f"dense_{i + 1}", f"dense_{len(widths) - i}"
        values[f"{up}.weight"], values[f"{up}.bias"] = layer.weights.T, layer.hidden
        values[f"{down}.weight"], values[f"{down}.bias"] = layer.weights, layer.visible
    constants = {n: Constant(np.ascontiguousarray(v)) for n, v in values.items()}
    return graph.replace(constants={**graph.constants, **constants})


def fine_tune(
    graph: Graph, x: np.ndarray, held: np.ndarray, epochs: int
) -> tuple[clconv.Trainer, list[float]]:
    """Back-propagation; the squared error a held-back picture before and after each epoch."""
    trainer = clconv.Trainer(graph, "binary_cross_entropy", optim.Adam(lr=1e-3))
    return trainer, [squared_error(trainer, held), *more_epochs(trainer, x, held, epochs)]


def more_epochs(
    trainer: clconv.Trainer, x: np.ndarray, held: np.ndarray, epochs: int
) -> list[float]:
    errors = []
    for _ in range(epochs):
        trainer.fit(x, x, batch_size=100)
        errors.append(squared_error(trainer, held))
    return errors


def squared_error(trainer: clconv.Trainer, x: np.ndarray) -> float:
    return float(np.square(trainer.predict(x, batch_size=500) - x).sum(1).mean())


def save_picture(rows: Sequence[np.ndarray], curves: Sequence[list[float]], path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = ("without pre-training", "with pre-training")
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(12, 3.5), gridspec_kw={"width_ratios": [2, 1]}
    )
    lines = [np.hstack(list(row[:12].reshape(-1, 28, 28))) for row in rows]
    left.imshow(np.vstack(lines), cmap="gray_r")
    left.set(xticks=[], yticks=[14, 42, 70], yticklabels=("held back", *names))
    for name, curve in zip(names, curves, strict=True):
        right.plot(curve, label=name)
    right.set(title="squared error a picture", xlabel="epochs of fine-tuning", ylim=(0, None))
    right.legend()
    figure.savefig(path, dpi=100, bbox_inches="tight")
    pyplot.close(figure)


def main() -> None:
    path = picture_option("deep_belief.png")
    images, _ = digits()
    x = images[np.random.default_rng(0).permutation(len(images))].reshape(-1, 784)
    learned, held = x[:4000], x[4000:]
    mean = float(np.square(held - learned.mean(0)).sum(1).mean())
    print(f"squared error a picture if the mean picture is the answer: {mean:.1f}")
    stack = pretrain(learned, SIZES[1:], 10, {len(SIZES) - 2: "hidden"})
    after, with_it = fine_tune(autoencoder(SIZES, stack), learned, held, 10)
    before, without = fine_tune(autoencoder(SIZES), learned, held, 10)
    shown = held[:12]
    rows = (shown, before.predict(shown), after.predict(shown))
    print(
        f"with pre-training: {with_it[0]:.1f} before, {with_it[-1]:.1f} after 10 epochs of back-propagation"
    )
    print(f"without: {without[0]:.1f} before, {without[-1]:.1f} after as many")
    without += more_epochs(before, learned, held, 10 * len(stack))
    print(f"without, after as many more as all RBMs together took: {without[-1]:.1f}")
    save_picture(rows, (without, with_it), str(path))
    print(f"{path}: digits of 784 pixels from {SIZES[-1]} numbers, both ways")


if __name__ == "__main__":
    main()

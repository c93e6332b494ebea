"""AlexNet (Krizhevsky, Sutskever and Hinton, 2012): the whole network, and a small sibling that learns.

Five convolutions and three dense layers, ReLU, local response normalisation, overlapping pooling (windows of 3 every 2),
two groups in the second, fourth and fifth convolution (its two graphics cards), dropout in the dense layers; trained with
momentum 0.9 and weight decay 0.0005.
"""

from __future__ import annotations

import math

import numpy as np
from convnet import counted
from data import cifar, picture_option

import clconv
from clconv import layers as L
from clconv import optim


def alexnet(classes: int = 1000, size: int = 227, width: float = 1.0) -> clconv.Graph:
    """Pictures (n, 3, size, size) -> sums of the classes, before the softmax. width: part of the channels and units.

    Raises ShapeError for pictures of less than 67 pixels, for which nothing is left to pool.
    """

    def part(channels: int) -> int:
        return max(2, 2 * round(channels * width / 2))

    return L.Sequential(
        L.Conv2d(part(96), 11, stride=4, rounding="floor", name="conv1"),
        *_after_convolution(),
        L.Conv2d(part(256), 5, padding=2, groups=2, name="conv2"),
        *_after_convolution(),
        L.Conv2d(part(384), 3, padding=1, name="conv3"),
        L.Relu(),
        L.Conv2d(part(384), 3, padding=1, groups=2, name="conv4"),
        L.Relu(),
        L.Conv2d(part(256), 3, padding=1, groups=2, name="conv5"),
        L.Relu(),
        L.MaxPool2d(3, stride=2, rounding="floor"),
        *_dense(part(4096), "dense1"),
        *_dense(part(4096), "dense2"),
        L.Dense(classes, name="dense3"),
    ).build((3, size, size), batch=None, name="AlexNet")


def sibling(classes: int = 10) -> clconv.Graph:
    """The same ingredients for pictures of 32 x 32 pixels."""
    return L.Sequential(
        L.Conv2d(16, 5, padding=2, name="conv1"),
        *_after_convolution(),
        L.Conv2d(32, 3, padding=1, groups=2, name="conv2"),
        *_after_convolution(),
        L.Conv2d(32, 3, padding=1, groups=2, name="conv3"),
        L.Relu(),
        L.MaxPool2d(3, stride=2, rounding="floor"),
        *_dense(128, "dense1"),
        L.Dense(classes, name="dense2"),
    ).build((3, 32, 32), batch=None, name="small sibling of AlexNet")


def _after_convolution() -> tuple[L.Layer, ...]:
    """ReLU, then normalisation: a / (2 + 1e-4 sum of squares of five channels)^0.75, then overlapping pooling.

    The layer divides alpha by the size, which the paper does not.
    """
    norm = L.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0)
    return L.Relu(), norm, L.MaxPool2d(3, stride=2, rounding="floor")


def _dense(units: int, name: str) -> tuple[L.Layer, ...]:
    return L.Dense(units, name=name), L.Relu(), L.Dropout(0.5)


def parameters(graph: clconv.Graph) -> dict[str, int]:
    """Parameters of each layer with weights."""
    return counted({n: c.array for n, c in graph.constants.items() if c.spec.rank})


def learn(
    epochs: int = 10, most: int | None = None
) -> tuple[clconv.Trainer, list[dict[str, float]]]:
    """The sibling on CIFAR pictures, `most` of them; half of them are mirrored anew in each epoch."""
    (x, y, _), (xv, yv, _) = cifar("train"), cifar("test")
    chosen = np.random.default_rng(0).permutation(len(x))[:most]
    x, y, mean = x[chosen], y[chosen], x[chosen].mean((0, 2, 3), keepdims=True)
    rate = optim.cosine(0.02, epochs * math.ceil(len(x) / 50))
    trainer = clconv.Trainer(
        sibling(), "cross_entropy", optim.SGD(lr=rate, momentum=0.9, weight_decay=5e-4)
    )
    rng, history = np.random.default_rng(1), []
    for _ in range(epochs):
        mirrored = np.where(rng.random((len(x), 1, 1, 1)) < 0.5, x[..., ::-1], x)
        held = (xv[:most] - mean, yv[:most])
        history += trainer.fit(mirrored - mean, y, batch_size=50, validation_data=held)
    return trainer, history


def save_picture(trainer: clconv.Trainer, history: list[dict[str, float]], path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    filters = trainer.parameters["conv1.weight"].transpose(0, 2, 3, 1)
    scaled = (filters - filters.min()) / (filters.max() - filters.min())
    tiles = [(f * 255).round().astype(np.uint8).repeat(10, 0).repeat(10, 1) for f in scaled]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.8))
    left.imshow(clconv.visualize.grid(tiles, columns=4, border=4))
    left.set(title="filters of the first layer", xticks=[], yticks=[])
    epochs = range(1, len(history) + 1)
    right.plot(epochs, [h["loss"] for h in history], label="learned")
    right.plot(epochs, [h["val_loss"] for h in history], label="held back")
    right.set(title="loss", xlabel="epoch")
    right.legend()
    figure.savefig(path, dpi=100, bbox_inches="tight")
    pyplot.close(figure)


def main() -> None:
    path = picture_option("alexnet.png")
    counts = parameters(alexnet())
    for layer, count in counts.items():
        print(f"{layer}: {count:,} parameters")
    print(f"AlexNet: {sum(counts.values()):,} parameters")
    small = parameters(sibling())
    print(f"its small sibling: {sum(small.values()):,} parameters")
    trainer, history = learn()
    first, last = history[0], history[-1]
    print(
        f"loss {first['loss']:.3f} -> {last['loss']:.3f}; {last['val_accuracy']:.1%} of the pictures held back are right (by chance: 10 %)"
    )
    save_picture(trainer, history, str(path))
    print(f"{path}: the filters of the first layer, and the loss")


if __name__ == "__main__":
    main()

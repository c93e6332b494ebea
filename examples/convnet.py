"""The convolutional network of the lecture: 32x32x3 pictures, convolution, ReLU, pooling, dense (as LeNet, LeCun et al., 1989
and 1998, with the ReLU of today).

Ten filters of 5x5x3 have 10 (75 + 1) = 760 parameters, wherever they are applied: that is what sharing weights saves.
"""

from __future__ import annotations

import numpy as np
from data import cifar, picture_option

import clconv
from clconv import layers as L
from clconv import optim


def convnet(classes: int = 10) -> clconv.Graph:
    """conv 5x5x10, ReLU, pool, conv 5x5x20, ReLU, pool, dense."""
    return L.Sequential(
        L.Conv2d(10, 5, padding=2),
        L.Relu(),
        L.MaxPool2d(2),
        L.Conv2d(20, 5, padding=2),
        L.Relu(),
        L.MaxPool2d(2),
        L.Flatten(),
        L.Dense(classes),
    ).build((3, 32, 32), batch=None)


def counted(parameters: dict[str, np.ndarray]) -> dict[str, int]:
    """Parameters of each layer."""
    found: dict[str, int] = {}
    for name, value in parameters.items():
        layer = name.rpartition(".")[0]
        found[layer] = found.get(layer, 0) + value.size
    return found


def learn(epochs: int = 8) -> tuple[clconv.Trainer, list[dict[str, float]]]:
    x, y, _ = cifar("train")
    xv, yv, _ = cifar("test")
    steps = epochs * len(x) // 50
    trainer = clconv.Trainer(
        convnet(), "cross_entropy", optim.SGD(lr=optim.cosine(0.03, steps), momentum=0.9)
    )
    history = trainer.fit(x - 0.5, y, epochs=epochs, batch_size=50, validation_data=(xv - 0.5, yv))
    return trainer, history


def save_picture(filters: np.ndarray, path: str) -> None:
    from PIL import Image

    low, high = filters.min(), filters.max()
    tiles = [((f - low) / (high - low) * 255).astype(np.uint8).transpose(1, 2, 0) for f in filters]
    whole = clconv.visualize.grid(
        [t.repeat(12, 0).repeat(12, 1) for t in tiles], columns=5, border=4
    )
    Image.fromarray(whole).save(path)


def main() -> None:
    path = picture_option("convnet.png")
    trainer, history = learn()
    for layer, count in counted(trainer.parameters).items():
        print(f"{layer}: {count:,} parameters")
    first, last = history[0], history[-1]
    print(
        f"loss {first['loss']:.3f} -> {last['loss']:.3f}; {last['val_accuracy']:.1%} of the pictures held back are right (by chance: 10 %)"
    )
    save_picture(trainer.parameters["conv2d_1.weight"], str(path))
    print(f"{path}: the ten filters of the first layer")


if __name__ == "__main__":
    main()

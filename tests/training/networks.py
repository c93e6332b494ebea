"""Small networks and data for tests of training."""

from __future__ import annotations

import numpy as np

from clconv import layers as L
from clconv.graph.ir import Graph


def perceptron(features: int = 5, units: int = 8, classes: int = 3) -> Graph:
    """Dense, Relu, Dense."""
    return L.Sequential(L.Dense(units), L.Relu(), L.Dense(classes)).build((features,), batch=None)


def convolutional(classes: int = 4) -> Graph:
    """Two convolutions with batch norms, a pooling, a dense layer."""
    return L.Sequential(
        L.Conv2d(6, 3, padding=1),
        L.BatchNorm2d(),
        L.Relu(),
        L.MaxPool2d(2),
        L.Conv2d(8, 3, padding=1),
        L.BatchNorm2d(),
        L.Relu(),
        L.GlobalAvgPool2d(),
        L.Flatten(),
        L.Dense(classes),
    ).build((3, 8, 8), batch=None)


def deep(layers: int = 10, classes: int = 4) -> Graph:
    """Many convolutions of one size, each with an activation."""
    parts = [part for _ in range(layers) for part in (L.Conv2d(8, 3, padding=1), L.Tanh())]
    last = (L.GlobalAvgPool2d(), L.Flatten(), L.Dense(classes))
    return L.Sequential(*parts, *last).build((3, 8, 8), batch=None)


def clusters(
    count: int, features: int = 5, classes: int = 3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Points around one centre for each class."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((classes, features)) * 2
    labels = rng.integers(0, classes, count)
    points = centres[labels] + rng.standard_normal((count, features)) * 0.5
    return points.astype(np.float32), labels


def pictures(count: int, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a bright quarter, which is the class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    images = rng.standard_normal((count, 3, 8, 8)).astype(np.float32) * 0.3
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label) % 4, 2)
        image[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 1
    return images, labels

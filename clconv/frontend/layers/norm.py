"""Layers that normalise: BatchNorm2d, LocalResponseNorm."""

from __future__ import annotations

import math

from clconv.errors import ConfigError
from clconv.frontend.layers.base import Layer, Network, count


class BatchNorm2d(Layer):
    """Batch normalisation with the statistics of a made-up training run: volumes keep their size.

    Means are near 0, variances and scales near 1, so that a deep network neither dies nor explodes. How many channels there
    are follows from the volume.
    """

    def __init__(self, epsilon: float = 1e-5, name: str | None = None) -> None:
        if not 0 <= epsilon < 1:
            raise ConfigError(
                f"epsilon {epsilon!r} must be at least 0 and less than 1; channels are not given"
            )
        self.epsilon, self.name = epsilon, name

    def apply(self, network: Network, x: str) -> str:
        label, channels = network.label(self), network.volume(x)[0]
        draw = network.random.uniform
        parts = {
            "weight": draw(0.8, 1.2, channels),
            "bias": draw(-0.2, 0.2, channels),
            "running_mean": draw(-0.2, 0.2, channels),
            "running_var": draw(0.6, 1.4, channels),
        }
        inputs = [network.learned(f"{label}.{k}", v) for k, v in parts.items()]
        return network.add("BatchNormalization", label, [x, *inputs], epsilon=self.epsilon)


class LocalResponseNorm(Layer):
    """x / (k + alpha / size * sum of squares over `size` neighbouring channels) ^ beta: volumes keep their size.

    Arguments and defaults are PyTorch's. Krizhevsky, Sutskever and Hinton (2012) do not divide alpha by the size: their
    alpha of 1e-4 over 5 channels is 5e-4 here.
    """

    def __init__(
        self,
        size: int,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        name: str | None = None,
    ) -> None:
        self.size, self.name = count(size, "size"), name
        for what, value in (("alpha", alpha), ("beta", beta), ("k", k)):
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{what} {value} must be finite and not negative")
        self.alpha, self.beta, self.k = alpha, beta, k

    def apply(self, network: Network, x: str) -> str:
        label = network.label(self)
        return network.add(
            "LRN", label, [x], size=self.size, alpha=self.alpha, beta=self.beta, bias=self.k
        )

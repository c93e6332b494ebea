"""Layers that are neither window, branch nor norm: Dense, Flatten, Dropout, Channels."""

from __future__ import annotations

import math

import numpy as np

from clconv.errors import ConfigError, ShapeError
from clconv.frontend.layers.base import Layer, Network, count


class Flatten(Layer):
    """All values of a volume in a row: (channels, height, width) -> (channels * height * width,)."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def apply(self, network: Network, x: str) -> str:
        return network.add("Flatten", network.label(self), [x], axis=1)


class Dense(Layer):
    """Fully connected: every unit reads every value. A volume is flattened first: (...) -> (units,)."""

    def __init__(self, units: int, bias: bool = True, name: str | None = None) -> None:
        self.units, self.bias, self.name = count(units, "units"), bias, name

    def apply(self, network: Network, x: str) -> str:
        if len(network.volume(x)) != 1:
            x = Flatten().apply(network, x)
        label = network.label(self)
        (features,) = network.volume(x)
        shape = (self.units, features)
        parameters = network.weight_and_bias(
            label, shape, self.units if self.bias else None, features
        )
        return network.add("Gemm", label, [x, *parameters], transB=1)


class Dropout(Layer):
    """Drops values in training; hands them on unchanged here. rate: the share that is dropped."""

    def __init__(self, rate: float = 0.5, name: str | None = None) -> None:
        if not (0 <= rate < 1) or math.isnan(rate):
            raise ConfigError(f"rate {rate} must be at least 0 and less than 1")
        self.rate, self.name = rate, name

    def apply(self, network: Network, x: str) -> str:
        label = network.label(self)
        rate = network.constant(f"{label}.rate", np.array(self.rate, np.float32))
        return network.add("Dropout", label, [x, rate])


class Channels(Layer):
    """Channels start to stop (not included) of a volume: (C, ...) -> (stop - start, ...)."""

    def __init__(self, start: int, stop: int, name: str | None = None) -> None:
        self.start, self.stop, self.name = start, stop, name

    def apply(self, network: Network, x: str) -> str:
        label, channels = network.label(self), network.volume(x)[0]
        if not 0 <= self.start < self.stop <= channels:
            raise ShapeError(
                f"layer '{label}': channels {self.start} to {self.stop} of a volume that has "
                f"0 to {channels}"
            )
        ends = [
            network.constant(f"{label}.{what}", np.array([value], np.int64))
            for what, value in (("start", self.start), ("stop", self.stop), ("axis", 1))
        ]
        return network.add("Slice", label, [x, *ends])

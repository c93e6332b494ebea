"""Layers made of layers: Sequential, and branches that meet again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clconv.errors import ConfigError, ShapeError
from clconv.frontend.layers.base import Layer, Network


class Sequential(Layer):
    """Layers one after the other. Without layers it hands its input on: a shortcut."""

    def __init__(self, *layers: Layer, name: str | None = None) -> None:
        _expect_layers(layers, "Sequential")
        self.layers = layers
        self.name = name

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def apply(self, network: Network, x: str) -> str:
        for i, layer in enumerate(self.layers):
            x = network.part(layer, i, x)
        return x


class _Join(Layer):
    """Applies every branch to the same input and joins the results.

    In a Network it may also be called without branches on several values.
    """

    def __init__(self, *branches: Layer, name: str | None = None) -> None:
        _expect_layers(branches, type(self).__name__)
        self.branches = branches
        self.name = name

    def apply(self, network: Network, x: str) -> str:
        if len(self.branches) < 2:
            raise ConfigError(f"{type(self).__name__} joins two branches or more")
        return self.join(
            network, [network.part(branch, i, x) for i, branch in enumerate(self.branches)]
        )

    def join(self, network: Network, values: Sequence[str]) -> str:
        """The joined value. Raises ShapeError if the volumes do not fit."""
        raise NotImplementedError

    def _folded(self, network: Network, op: str, values: Sequence[str]) -> str:
        """The operator between the first value and the second, their result and the third, and so on."""
        label, result = network.label(self), values[0]
        for i, value in enumerate(values[1:]):
            last = i == len(values) - 2
            result = network.add(op, label if last else f"{label}.{i}", [result, value])
        return result

    def _refuse(self, network: Network, label: str, values: Sequence[str], wanted: str) -> None:
        volumes = ", ".join(str(network.volume(v)) for v in values)
        raise ShapeError(f"layer '{label}': {wanted}; the branches give {volumes}")


class Add(_Join):
    """The sum of the branches, which must give equal volumes."""

    def join(self, network: Network, values: Sequence[str]) -> str:
        label = network.label(self)
        if len({network.volume(v) for v in values}) != 1:
            self._refuse(network, label, values, "branches of a sum must have equal volumes")
        return self._folded(network, "Add", values)


class Multiply(_Join):
    """The product of the branches; one that gives (channels, 1, 1) scales the channels of the others."""

    def join(self, network: Network, values: Sequence[str]) -> str:
        label = network.label(self)
        full = max((network.volume(v) for v in values), key=lambda v: (len(v), v))
        for value in values:
            volume = network.volume(value)
            if len(volume) != len(full) or any(
                d not in (1, f) for d, f in zip(volume, full, strict=True)
            ):
                self._refuse(network, label, values, "sizes of a product must be equal or 1")
        return self._folded(network, "Mul", values)


class Concat(_Join):
    """The channels of the branches one after the other; heights and widths must be equal."""

    def join(self, network: Network, values: Sequence[str]) -> str:
        label = network.label(self)
        if len({network.volume(v)[1:] for v in values}) != 1:
            self._refuse(network, label, values, "branches must have equal heights and widths")
        return network.add("Concat", label, list(values), axis=1)


def _expect_layers(layers: Sequence[Layer], what: str) -> None:
    for layer in layers:
        if not isinstance(layer, Layer):
            raise ConfigError(f"{what} takes layers, got {layer!r}")

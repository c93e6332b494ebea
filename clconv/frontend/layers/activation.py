"""Activations: each value on its own; volumes keep their size."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from clconv.errors import ConfigError
from clconv.frontend.layers.base import Layer, Network


def _finite(what: str, value: Any) -> float:
    if not (isinstance(value, Real) and math.isfinite(value)):
        raise ConfigError(f"{what} {value!r} must be a finite number")
    return float(value)


class _Activation(Layer):
    """The element-wise operator of the class's name."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def _attributes(self) -> dict[str, Any]:
        return {}

    def apply(self, network: Network, x: str) -> str:
        return network.add(type(self).__name__, network.label(self), [x], **self._attributes())


class Relu(_Activation):
    """max(x, 0)"""


class Sigmoid(_Activation):
    """1 / (1 + exp(-x))"""


class Tanh(_Activation):
    """tanh(x)"""


class Swish(_Activation):
    """x * sigmoid(x), also called SiLU"""


class HardSwish(_Activation):
    """x * clip(x / 6 + 1 / 2, 0, 1)"""


class Softplus(_Activation):
    """log(1 + exp(x))"""


class Softsign(_Activation):
    """x / (1 + |x|)"""


class Mish(_Activation):
    """x * tanh(softplus(x))"""


class HardSigmoid(_Activation):
    """clip(alpha * x + beta, 0, 1)"""

    def __init__(self, alpha: float = 1 / 6, beta: float = 0.5, name: str | None = None) -> None:
        super().__init__(name)
        self.alpha, self.beta = _finite("alpha", alpha), _finite("beta", beta)

    def _attributes(self) -> dict[str, Any]:
        return {"alpha": self.alpha, "beta": self.beta}


class LeakyRelu(_Activation):
    """x where it is not negative, else slope * x"""

    def __init__(self, slope: float = 0.01, name: str | None = None) -> None:
        super().__init__(name)
        self.slope = _finite("slope", slope)

    def _attributes(self) -> dict[str, Any]:
        return {"alpha": self.slope}


class Elu(_Activation):
    """x where it is not negative, else alpha * (exp(x) - 1)"""

    def __init__(self, alpha: float = 1.0, name: str | None = None) -> None:
        super().__init__(name)
        self.alpha = _finite("alpha", alpha)

    def _attributes(self) -> dict[str, Any]:
        return {"alpha": self.alpha}


class Gelu(_Activation):
    """x * normal distribution(x); approximate "tanh" uses Hendrycks and Gimpel's formula"""

    def __init__(self, approximate: str = "none", name: str | None = None) -> None:
        super().__init__(name)
        if approximate not in ("none", "tanh"):
            raise ConfigError(f"approximate {approximate!r} must be none or tanh")
        self.approximate = approximate

    def _attributes(self) -> dict[str, Any]:
        return {"approximate": self.approximate}


class PRelu(_Activation):
    """x where it is not negative, else slope * x with one slope a channel, drawn near 0.25"""

    def apply(self, network: Network, x: str) -> str:
        label = network.label(self)
        channels, *rest = network.volume(x)
        slope = network.random.uniform(0.2, 0.3, (channels, *[1] * len(rest)))
        inputs = [x, network.learned(f"{label}.weight", slope)]
        return network.add("PRelu", label, inputs)


class Relu6(_Activation):
    """min(max(x, 0), 6)"""

    def apply(self, network: Network, x: str) -> str:
        label = network.label(self)
        bounds = [
            network.constant(f"{label}.{what}", np.array(value, np.float32))
            for what, value in (("low", 0), ("high", 6))
        ]
        return network.add("Clip", label, [x, *bounds])


class Softmax(_Activation):
    """exp(x) / sum of exp(x) over the channels (or features)"""

    def _attributes(self) -> dict[str, Any]:
        return {"axis": 1}

"""Optimisers: how a parameter changes with its gradient. Names, defaults and formulas are PyTorch's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from numbers import Real

import numpy as np

from clconv.errors import ConfigError
from clconv.training.schedules import Schedule, as_schedule
from clconv.training.writer import GraphWriter

# What a step is told besides the data, as scalars: by name, a function of the step, which counts from 0.
Scalars = Mapping[str, Callable[[int], float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimizer:
    """lr: the learning rate, or a function of the step (see clconv.optim.cosine and the others)."""

    lr: float | Schedule = 1e-3
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "lr" and callable(value):
                continue
            for number in value if isinstance(value, tuple | list) else (value,):
                if not (isinstance(number, Real) and 0 <= float(number) < math.inf):
                    raise ConfigError(
                        f"{type(self).__name__}({field.name}={value!r}): must be a finite number, and not "
                        "negative"
                    )

    @property
    def moments(self) -> tuple[str, ...]:
        """What it keeps of each parameter, of the parameter's shape, zero at the start."""
        return ()

    def scalars(self) -> Scalars:
        """What changes from step to step, by name: functions of the step."""
        return {"lr": as_schedule(self.lr)}

    def rates(self, step: int) -> dict[str, float]:
        """What the scalars are at a step. Raises ConfigError for a learning rate that is no number."""
        found = {name: scalar(step) for name, scalar in self.scalars().items()}
        for name, value in found.items():
            if not isinstance(value, int | float | np.floating) or not math.isfinite(value):
                raise ConfigError(
                    f"{type(self).__name__}: {name} is {value!r} at step {step}; it must be a finite number"
                )
        return found

    def write(
        self, to: GraphWriter, w: str, g: str, moments: Mapping[str, str], at: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        """Writes one update: the names of the new parameter and of its new moments. at: the scalars' values."""
        raise NotImplementedError

    def _decayed(self, to: GraphWriter, w: str, g: str) -> str:
        """The gradient with that of weight_decay / 2 * w^2."""
        return to.one("Add", g, to.scaled(w, self.weight_decay)) if self.weight_decay else g

    @staticmethod
    def _stepped(to: GraphWriter, w: str, direction: str, rate: str) -> str:
        return to.one("Sub", w, to.one("Mul", direction, rate))


@dataclasses.dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """v = momentum v + (1 - dampening) g; w = w - lr v, or w - lr (g + momentum v) with nesterov.

    The first step takes v = g, as PyTorch's does; with dampening that differs from v = (1 - dampening) g.
    """

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and (self.momentum <= 0 or self.dampening):
            raise ConfigError("SGD(nesterov=True): needs a momentum, and no dampening")

    @property
    def moments(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def scalars(self) -> Scalars:
        found = dict(super().scalars())
        if self.momentum and self.dampening:
            found["gain"] = lambda step: 1.0 - self.dampening if step else 1.0
        return found

    def write(
        self, to: GraphWriter, w: str, g: str, moments: Mapping[str, str], at: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        g = self._decayed(to, w, g)
        if not self.momentum:
            return self._stepped(to, w, g, at["lr"]), {}
        gained = to.one("Mul", g, at["gain"]) if "gain" in at else g
        v = to.one("Add", to.scaled(moments["momentum"], self.momentum), gained)
        direction = to.one("Add", g, to.scaled(v, self.momentum)) if self.nesterov else v
        return self._stepped(to, w, direction, at["lr"]), {"momentum": v}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w = w - lr m' / (sqrt(v') + eps), where m' and v' are m and v
    over 1 - b1^t and 1 - b2^t (Kingma and Ba, 2015)."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.betas if isinstance(self.betas, tuple | list) else ()
        if len(given) != 2 or max(given) >= 1:
            raise ConfigError(
                f"{type(self).__name__}(betas={self.betas!r}): must be two numbers below 1"
            )

    @property
    def moments(self) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def scalars(self) -> Scalars:
        lr, (b1, b2) = as_schedule(self.lr), self.betas
        return {
            "lr": lr,
            "rate": lambda step: lr(step) / (1 - b1 ** (step + 1)),
            "correction": lambda step: 1 / math.sqrt(1 - b2 ** (step + 1)),
        }

    def write(
        self, to: GraphWriter, w: str, g: str, moments: Mapping[str, str], at: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        w, g = self._with_decay(to, w, g, at)
        b1, b2 = self.betas
        m = to.one("Add", to.scaled(moments["exp_avg"], b1), to.scaled(g, 1 - b1))
        squares = to.scaled(to.one("Mul", g, g), 1 - b2)
        v = to.one("Add", to.scaled(moments["exp_avg_sq"], b2), squares)
        root = to.one("Mul", to.one("Sqrt", v), at["correction"])
        direction = to.one("Div", m, to.one("Add", root, to.number(self.eps)))
        return self._stepped(to, w, direction, at["rate"]), {"exp_avg": m, "exp_avg_sq": v}

    def _with_decay(
        self, to: GraphWriter, w: str, g: str, at: Mapping[str, str]
    ) -> tuple[str, str]:
        return w, self._decayed(to, w, g)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam whose weight decay is no part of the gradient: w = w - lr weight_decay w before the step (Loshchilov and
    Hutter, "Decoupled Weight Decay Regularization", 2019)."""

    weight_decay: float = 1e-2

    def _with_decay(
        self, to: GraphWriter, w: str, g: str, at: Mapping[str, str]
    ) -> tuple[str, str]:
        if self.weight_decay:
            w = to.one("Sub", w, to.one("Mul", to.scaled(w, self.weight_decay), at["lr"]))
        return w, g


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adagrad(Optimizer):
    """s = s + g^2; w = w - lr / (1 + t lr_decay) g / (sqrt(s) + eps), t from 0 (Duchi, Hazan and Singer, 2011)."""

    lr: float | Schedule = 1e-2
    lr_decay: float = 0.0
    eps: float = 1e-10

    @property
    def moments(self) -> tuple[str, ...]:
        return ("sum",)

    def scalars(self) -> Scalars:
        lr = as_schedule(self.lr)
        return {"lr": lambda step: lr(step) / (1 + step * self.lr_decay)}

    def write(
        self, to: GraphWriter, w: str, g: str, moments: Mapping[str, str], at: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        g = self._decayed(to, w, g)
        total = to.one("Add", moments["sum"], to.one("Mul", g, g))
        root = to.one("Add", to.one("Sqrt", total), to.number(self.eps))
        return self._stepped(to, w, to.one("Div", g, root), at["lr"]), {"sum": total}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RMSprop(Optimizer):
    """s = alpha s + (1 - alpha) g^2; w = w - lr g / (sqrt(s) + eps), with momentum over that quotient (Tieleman and
    Hinton, lecture 6.5 of Neural Networks for Machine Learning, 2012). centered: the variance in the place of s."""

    lr: float | Schedule = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    @property
    def moments(self) -> tuple[str, ...]:
        more = (("momentum",) if self.momentum else ()) + (("mean",) if self.centered else ())
        return ("square_avg", *more)

    def write(
        self, to: GraphWriter, w: str, g: str, moments: Mapping[str, str], at: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        g = self._decayed(to, w, g)
        squares = to.scaled(to.one("Mul", g, g), 1 - self.alpha)
        total = to.one("Add", to.scaled(moments["square_avg"], self.alpha), squares)
        new, spread = {"square_avg": total}, total
        if self.centered:
            mean = to.one(
                "Add", to.scaled(moments["mean"], self.alpha), to.scaled(g, 1 - self.alpha)
            )
            new["mean"] = mean
            spread = to.one("Sub", total, to.one("Mul", mean, mean))
        root = to.one("Add", to.one("Sqrt", spread), to.number(self.eps))
        direction = to.one("Div", g, root)
        if self.momentum:
            direction = to.one("Add", to.scaled(moments["momentum"], self.momentum), direction)
            new["momentum"] = direction
        return self._stepped(to, w, direction, at["lr"]), new


OPTIMISERS = {
    "sgd": SGD, "adam": Adam, "adamw": AdamW, "adagrad": Adagrad, "rmsprop": RMSprop,
}  # fmt: skip


def as_optimizer(given: Optimizer | type[Optimizer] | str) -> Optimizer:
    """An optimiser by its name or class with its defaults, or itself. Raises ConfigError."""
    if isinstance(given, Optimizer):
        return given
    if isinstance(given, type) and issubclass(given, Optimizer):
        return given()
    name = str(given).lower()
    if name not in OPTIMISERS:
        raise ConfigError(f"no optimiser '{given}'; there are {', '.join(OPTIMISERS)}")
    return OPTIMISERS[name]()

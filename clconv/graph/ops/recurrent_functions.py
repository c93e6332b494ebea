"""The functions that recurrent layers apply to their gates and states, by name and by direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}

# name -> (function of x, alpha, beta; default alpha, default beta); None: it has no such parameter.
ACTIVATIONS: dict[str, tuple[Callable[..., Any], float | None, float | None]] = {
    "sigmoid": (lambda x, a, b: 1 / (1 + np.exp(-x)), None, None),
    "tanh": (lambda x, a, b: np.tanh(x), None, None),
    "relu": (lambda x, a, b: np.maximum(x, 0), None, None),
    "softsign": (lambda x, a, b: x / (1 + np.abs(x)), None, None),
    "softplus": (lambda x, a, b: np.logaddexp(0, x), None, None),
    "leakyrelu": (lambda x, a, b: np.where(x < 0, a * x, x), 0.01, None),
    "thresholdedrelu": (lambda x, a, b: np.where(x > a, x, 0), 1.0, None),
    "elu": (lambda x, a, b: np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x), 1.0, None),
    "affine": (lambda x, a, b: a * x + b, 1.0, 0.0),
    "scaledtanh": (lambda x, a, b: a * np.tanh(b * x), 1.0, 1.0),
    "hardsigmoid": (lambda x, a, b: np.clip(a * x + b, 0, 1), 0.2, 0.5),
}


def directions(at: Any) -> int:
    return 2 if at.direction == "bidirectional" else 1


def activation_names(op: str, at: Any) -> tuple[str, ...]:
    """Names of all activations in order, those of the second direction behind the first's."""
    return tuple(at.activations) or DEFAULTS[op] * directions(at)


def activation_settings(op: str, at: Any) -> list[tuple[str, float | None, float | None]]:
    """(name in lower case, alpha, beta) of all activations in order; None where there is no such parameter."""
    alphas, betas = list(at.activation_alpha), list(at.activation_beta)
    found = []
    for name in activation_names(op, at):
        _, alpha, beta = ACTIVATIONS[name.lower()]
        alpha = alphas.pop(0) if alpha is not None and alphas else alpha
        beta = betas.pop(0) if beta is not None and betas else beta
        found.append((name.lower(), alpha, beta))
    return found

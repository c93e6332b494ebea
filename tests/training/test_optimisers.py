"""Each optimiser against its formula in NumPy, step by step, on a least-squares problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import clconv
from clconv import optim
from clconv.errors import ConfigError
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node

STEPS = 12
Update = Callable[[np.ndarray, np.ndarray, dict[str, Any], int], np.ndarray]


def linear(weight: np.ndarray) -> Graph:
    node = make_node("MatMul", ["x", "w"], ["y"])
    return Graph(
        "linear", (node,), ("x",), ("y",), {"x": TensorSpec(("n", 7))}, {"w": Constant(weight)}
    )


def sgd(o: optim.SGD) -> Update:
    def update(w: np.ndarray, g: np.ndarray, held: dict[str, Any], t: int) -> np.ndarray:
        g = g + o.weight_decay * w
        if o.momentum:
            gain = 1 if t == 0 else 1 - o.dampening
            held["v"] = o.momentum * held.get("v", 0) + gain * g
            g = g + o.momentum * held["v"] if o.nesterov else held["v"]
        return w - o.lr * g

    return update


def adam(o: optim.Adam, decoupled: bool = False) -> Update:
    def update(w: np.ndarray, g: np.ndarray, held: dict[str, Any], t: int) -> np.ndarray:
        b1, b2 = o.betas
        if decoupled:
            w = w - o.lr * o.weight_decay * w
        else:
            g = g + o.weight_decay * w
        held["m"] = b1 * held.get("m", 0) + (1 - b1) * g
        held["v"] = b2 * held.get("v", 0) + (1 - b2) * g * g
        m, v = held["m"] / (1 - b1 ** (t + 1)), held["v"] / (1 - b2 ** (t + 1))
        return w - o.lr * m / (np.sqrt(v) + o.eps)

    return update


def adagrad(o: optim.Adagrad) -> Update:
    def update(w: np.ndarray, g: np.ndarray, held: dict[str, Any], t: int) -> np.ndarray:
        g = g + o.weight_decay * w
        held["s"] = held.get("s", 0) + g * g
        return w - o.lr / (1 + t * o.lr_decay) * g / (np.sqrt(held["s"]) + o.eps)

    return update


def rmsprop(o: optim.RMSprop) -> Update:
    def update(w: np.ndarray, g: np.ndarray, held: dict[str, Any], t: int) -> np.ndarray:
        g = g + o.weight_decay * w
        held["s"] = o.alpha * held.get("s", 0) + (1 - o.alpha) * g * g
        spread = held["s"]
        if o.centered:
            held["a"] = o.alpha * held.get("a", 0) + (1 - o.alpha) * g
            spread = spread - held["a"] ** 2
        step = g / (np.sqrt(spread) + o.eps)
        if o.momentum:
            step = held["b"] = o.momentum * held.get("b", 0) + step
        return w - o.lr * step

    return update


CASES = [
    (optim.SGD(lr=0.1), sgd),
    (optim.SGD(lr=0.05, momentum=0.9, weight_decay=0.01), sgd),
    (optim.SGD(lr=0.05, momentum=0.9, dampening=0.3), sgd),
    (optim.SGD(lr=0.05, momentum=0.9, nesterov=True), sgd),
    (optim.Adam(lr=0.05), adam),
    (optim.Adam(lr=0.05, weight_decay=0.1, betas=(0.8, 0.95)), adam),
    (optim.AdamW(lr=0.05, weight_decay=0.1), lambda o: adam(o, decoupled=True)),
    (optim.Adagrad(lr=0.1, lr_decay=0.05, weight_decay=0.01), adagrad),
    (optim.RMSprop(lr=0.01, weight_decay=0.01), rmsprop),
    (optim.RMSprop(lr=0.01, momentum=0.9, centered=True), rmsprop),
]


@pytest.mark.parametrize(
    ("optimizer", "formula"), CASES, ids=lambda c: getattr(c, "__name__", repr(c))
)
def test_steps_follow_the_formula(device: clconv.DeviceInfo, optimizer: Any, formula: Any) -> None:
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((7, 3)).astype(np.float32)
    x, y = (rng.standard_normal((20, n)).astype(np.float32) for n in (7, 3))
    trainer = clconv.Trainer(linear(weight), "mse", optimizer, device=device)
    update, w, held = formula(optimizer), weight.astype(np.float64), {}
    for t in range(STEPS):
        error = x @ w - y
        assert trainer.step(x, y) == pytest.approx((error**2).mean(), rel=1e-4)
        w = update(w, x.T @ error * (2 / error.size), held, t)
    np.testing.assert_allclose(trainer.parameters["w"], w, rtol=2e-4, atol=2e-5)


def test_learning_rates_change_with_the_step() -> None:
    cosine = optim.cosine(1.0, steps=10, least=0.1)
    assert (
        cosine(0) == 1.0 and cosine(10) == pytest.approx(0.1) and cosine(99) == pytest.approx(0.1)
    )
    assert cosine(5) == pytest.approx(0.55)
    warm = optim.warm_up(optim.step_decay(0.8, every=100), steps=4)
    assert [warm(s) for s in (0, 3, 50, 150)] == pytest.approx([0.2, 0.8, 0.8, 0.08])
    assert optim.multi_step(1.0, [2, 4])(3) == pytest.approx(0.1)


def test_a_schedule_is_followed(device: clconv.DeviceInfo) -> None:
    weight = np.ones((7, 1), np.float32)
    x, y = np.eye(7, dtype=np.float32), np.zeros((7, 1), np.float32)
    trainer = clconv.Trainer(
        linear(weight), "mse", optim.SGD(lr=lambda step: 0.7 * (step == 1)), device=device
    )
    seen = []
    for _ in range(3):
        trainer.step(x, y)
        seen.append(float(trainer.parameters["w"][0, 0]))
    assert seen == pytest.approx([1.0, 0.8, 0.8])


def test_bad_settings_are_refused() -> None:
    for make in (
        lambda: optim.SGD(lr=-1.0),
        lambda: optim.SGD(lr=np.float32(-1)),
        lambda: optim.SGD(lr=None),
        lambda: optim.SGD(momentum="0.9"),
        lambda: optim.Adam(betas=(1.0, 0.9)),
        lambda: optim.AdamW(betas=(0.9, 1.5)),
        lambda: optim.Adam(betas=0.9),
        lambda: optim.cosine(0.1, steps=0),
        lambda: optim.step_decay(0.1, every=0),
        lambda: optim.Adam(lr=float("nan")),
        lambda: optim.Adam(lr=lambda step: float("nan")).rates(0),
        lambda: optim.SGD(lr=0.1, nesterov=True),
        lambda: clconv.Trainer(linear(np.ones((7, 1), np.float32)), "mse", "adamax"),
    ):
        with pytest.raises(ConfigError):
            make()

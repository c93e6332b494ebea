"""Gradients, losses and curves of training against PyTorch's in float64, which tests/tools/torch_gradients.py wrote."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import clconv
from tests.training.torch_cases import CURVES, FOLDER, LOSS_CASES, sketch_error
from tests.training.zoo import ZOO

TOLERANCE = 2e-4  # of the largest element of each gradient


def kept(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


# Most of the time is compilation. Each gradient in them is also held to the reference, operator by operator.
# A network's gradients and a curve, and losses that have every option between them.
QUICK = ("lenet", "mlp-sgd")
QUICK_LOSSES = (
    "ce",
    "ce-pixels-all",
    "ce-probabilities-smooth",
    "bce",
    "mse",
    "mae",
    "huber-wide",
    "perceptron-several",
)


def marked(table: Any) -> list[Any]:
    def marks(key: str, entry: Any) -> list[Any]:
        if getattr(entry, "slow", False):
            return [pytest.mark.long]
        return [] if key in QUICK else [pytest.mark.slow]

    return [pytest.param(key, marks=marks(key, entry)) for key, entry in table.items()]


@pytest.mark.parametrize("name", marked(ZOO))
def test_gradients_of_networks(name: str, device: clconv.DeviceInfo) -> None:
    entry, numbers = ZOO[name], kept("gradients")
    x, y = entry.data()
    trainer = clconv.Trainer(entry.make(), seed=0, device=device)
    found = trainer.gradients(x, y)
    wanted = {k.split("//")[1]: a for k, a in numbers.items() if k.startswith(f"{name}//")}
    loss = float(wanted.pop("loss"))
    assert set(found) == set(wanted)
    largest = max(sketched[0] for sketched in wanted.values())
    errors = {
        parameter: sketch_error(f"{name}//{parameter}", array, wanted[parameter], largest)
        for parameter, array in found.items()
    }
    wrong = {parameter: error for parameter, error in errors.items() if not error <= TOLERANCE}
    assert not wrong
    assert trainer.step(x, y) == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("label", marked(CURVES))
def test_curves_of_losses(label: str, device: clconv.DeviceInfo) -> None:
    curve, numbers = CURVES[label], kept("curves")
    graph = ZOO[curve.network].make()
    trainer = clconv.Trainer(graph, optimizer=curve.optimizer, device=device)
    found = [trainer.step(x, y) for x, y in curve.data()]
    np.testing.assert_allclose(found, numbers[label], atol=5e-3)
    assert np.mean(found[-4:]) < 0.9 * np.mean(found[:4]), "it learns"
    constants = trainer.graph().constants
    for key, wanted in numbers.items():
        if key.startswith(f"{label}//"):
            # Rounding grows from step to step; test_forms.py holds one step exactly.
            close = 3e-2 * np.abs(wanted).max()
            np.testing.assert_allclose(constants[key.split("//")[1]].array, wanted, atol=close)


@pytest.mark.parametrize(
    "label",
    [pytest.param(k, marks=[pytest.mark.slow] * (k not in QUICK_LOSSES)) for k in LOSS_CASES],
)
def test_losses(label: str, device: clconv.DeviceInfo) -> None:
    case, numbers = LOSS_CASES[label], kept("losses")
    logits, y = case.data()
    trainer = clconv.Trainer(case.graph(), loss=case.loss, device=device)
    zeros = np.zeros_like(logits)
    assert trainer.evaluate(zeros, y)["loss"] == pytest.approx(float(numbers[label]), rel=1e-5)
    gradient = trainer.gradients(zeros, y)["w"]
    wanted = numbers[f"{label}//gradient"]
    np.testing.assert_allclose(gradient, wanted, atol=1e-5 * np.abs(wanted).max())


def test_a_wrong_gradient_is_noticed() -> None:
    """The sketches tell errors of a tenth of a percent, of all elements or of the largest."""
    rng = np.random.default_rng(0)
    numbers = kept("gradients")["mlp//fc1.weight"]
    assert numbers.size < 100 and numbers[0] > 0
    from tests.training.torch_cases import sketch

    array = rng.standard_normal((50, 40))
    own = sketch("a", array)
    assert sketch_error("a", array.astype(np.float32), own) < 1e-6
    assert sketch_error("a", array * 1.001, own) > TOLERANCE
    other = array.copy()
    other.reshape(-1)[np.abs(array).argmax()] *= 1.001
    assert sketch_error("a", other, own) > TOLERANCE
    assert sketch_error("a", array[:, ::-1], own) > 0.1

"""Examples as users have them: what fits, and what is one clear error."""

from __future__ import annotations

import numpy as np
import pytest

import clconv
from clconv import optim
from clconv.errors import InputError
from clconv.graph.ir import TensorSpec
from tests.training.networks import clusters, convolutional, perceptron, pictures


def trainer(device: clconv.DeviceInfo) -> clconv.Trainer:
    return clconv.Trainer(perceptron(), optimizer=optim.SGD(lr=0.1, momentum=0.9), device=device)


def test_data_as_users_have_them(
    device: clconv.DeviceInfo, capsys: pytest.CaptureFixture[str]
) -> None:
    t, (x, y) = trainer(device), clusters(8)
    wanted = t.evaluate(x, y)["loss"]
    hot = np.eye(3, dtype=int)[y]
    for a, b in (
        (x.astype(np.float64), y.astype(np.int32)),
        (x.tolist(), y.tolist()),
        (x, hot),
        (x, hot.astype(np.float64)),
        ({"input": x}, y),
    ):
        assert t.evaluate(a, b)["loss"] == pytest.approx(wanted, rel=1e-6)
    history = t.fit(x, y, batch_size=4, validation_data=0.25)
    assert t.steps == 2 and "val_loss" in history[0]  # of 4 and of 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("epoch 1/1: loss") and "val_loss" in line


def test_bad_data_are_one_clear_error(device: clconv.DeviceInfo) -> None:
    t, (x, y) = trainer(device), clusters(8)
    wrong = y.copy()
    wrong[3] = 3
    for data, match in (
        ((x, wrong), "label 3 is outside 0..2"),
        ((x, y[:5]), "different numbers of examples"),
        ((x[:, :4], y), "takes float32"),
        ((x, y.astype(np.float32)), "integer labels"),
        ((x, None), "give y"),
        ((x[:0], y[:0]), "no examples"),
        (({"z": x}, y), "the network takes"),
        ((iter([x]), None), "call step"),
        (([[1], [2, 3]], y), "no array"),
    ):
        with pytest.raises(InputError, match=match):
            t.step(*data)  # type: ignore[arg-type]
    for options, match in (
        ({"epochs": 0}, "there is at least one"),
        ({"batch_size": 0}, "there is at least one"),
        ({"validation_data": x}, "a pair"),
        ({"validation_data": 0.01}, "leaves 0 to measure"),
    ):
        with pytest.raises(InputError, match=match):
            t.fit(x, y, **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="channels are last"):
        clconv.Trainer(convolutional(), device=device).predict(np.zeros((2, 8, 8, 3)))


def test_sizes_that_are_open_may_differ_from_batch_to_batch(device: clconv.DeviceInfo) -> None:
    x, y = pictures(6)
    known = convolutional()
    graph = known.replace(specs={"input": TensorSpec(("n", 3, "h", "w"))})
    first, second = (clconv.Trainer(g, device=device, recompute=1 << 30) for g in (graph, known))
    assert first.step(x, y) == second.step(x, y)
    larger = np.tile(x, (1, 1, 1, 2))
    assert first.step(larger, y) > 0
    assert first.evaluate(larger, y)["accuracy"] == (first.predict(larger).argmax(1) == y).mean()

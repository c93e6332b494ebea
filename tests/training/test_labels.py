"""Labels that are wrong or do not count, in a whole batch or in a part of one."""

from __future__ import annotations

import numpy as np
import pytest

import clconv
from clconv import losses, optim
from clconv.errors import ConfigError, InputError
from tests.training.networks import clusters, perceptron


def trainer(device: clconv.DeviceInfo, accumulate: int = 1) -> clconv.Trainer:
    return clconv.Trainer(
        perceptron(), optimizer=optim.SGD(lr=0.1), device=device, accumulate=accumulate
    )


def test_a_wrong_label_in_a_later_part_leaves_nothing_of_the_first(
    device: clconv.DeviceInfo,
) -> None:
    x, y = clusters(12)
    wrong = y.copy()
    wrong[-1] = 3
    first, second = trainer(device, 3), trainer(device, 3)
    for t in (first, second):
        t.step(x, y)  # batches of this size are compiled then
    with pytest.raises(InputError, match="label 3"):
        first.step(x, wrong)
    for t in (first, second):
        t.step(x, y)
    for name, value in first.parameters.items():
        assert value.tobytes() == second.parameters[name].tobytes(), name


def test_a_batch_in_which_no_label_counts_changes_nothing(device: clconv.DeviceInfo) -> None:
    x, y = clusters(12)
    t = trainer(device)
    before = t.parameters
    assert t.step(x, np.full(12, -100)) == 0
    for name, value in t.parameters.items():
        np.testing.assert_array_equal(value, before[name])
    assert "accuracy" not in t.evaluate(x, np.full(12, -100))
    parts = trainer(device, 4)
    y[:3] = -100  # the first part
    t.step(x[3:], y[3:])
    loss = parts.step(x, y)
    for name, value in t.parameters.items():
        wanted = before[name] + 0.75 * (value - before[name])  # its share of the examples
        np.testing.assert_allclose(parts.parameters[name], wanted, rtol=1e-5, atol=1e-7)
    assert np.isfinite(loss)


def test_the_number_that_is_ignored_is_of_labels_not_of_probabilities(
    device: clconv.DeviceInfo,
) -> None:
    (x, y), found = clusters(30), []
    for loss in (losses.CrossEntropy(), losses.CrossEntropy(ignore_index=1)):
        t = clconv.Trainer(perceptron(), loss=loss, device=device)
        found.append(t.evaluate(x, np.eye(3)[y]))
    assert found[0] == found[1]


def test_losses_check_their_options(device: clconv.DeviceInfo) -> None:
    for kind, options, match in (
        (losses.Huber, {"delta": 0}, "delta 0"),
        (losses.Huber, {"delta": "1"}, "delta '1'"),
        (losses.CrossEntropy, {"weight": "abc"}, "weight 'abc'"),
        (losses.CrossEntropy, {"label_smoothing": 1}, "label_smoothing 1"),
    ):
        with pytest.raises(ConfigError, match=match):
            kind(**options)  # type: ignore[arg-type]
    x, y = clusters(12)
    by_class = clconv.Trainer(perceptron(), loss=losses.CrossEntropy, device=device)
    assert by_class.evaluate(x, y) == trainer(device).evaluate(x, y)

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
    x, _ = clusters(12)
    t = trainer(device)
    before = t.parameters
    assert t.step(x, np.full(12, -100)) == 0
    for name, value in t.parameters.items():
        np.testing.assert_array_equal(value, before[name])
    assert "accuracy" not in t.evaluate(x, np.full(12, -100))


@pytest.mark.parametrize("weight", [None, (0.5, 2.0, 1.0)])
def test_parts_and_batches_count_by_their_labels(
    device: clconv.DeviceInfo, weight: tuple[float, ...] | None
) -> None:
    """In the first part no label counts, in others some; the update, the loss and its mean are those of the whole."""
    (x, y), loss = clusters(12), losses.CrossEntropy(weight=weight)
    y[[0, 1, 2, 5, 9, 10]] = -100
    whole, parts = (
        clconv.Trainer(
            perceptron(), loss, optim.SGD(lr=0.5, momentum=0.9), device=device, accumulate=count
        )
        for count in (1, 4)
    )
    for _ in range(2):
        assert parts.step(x, y) == pytest.approx(whole.step(x, y), rel=1e-5)
    for name, value in whole.parameters.items():
        np.testing.assert_allclose(parts.parameters[name], value, rtol=1e-4, atol=1e-6)
    wanted = whole.evaluate(x, y, batch_size=12)["loss"]
    for size in (1, 5):
        assert whole.evaluate(x, y, batch_size=size)["loss"] == pytest.approx(wanted, rel=1e-5)


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

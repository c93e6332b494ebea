"""What a step of training will take, told before it is made."""

from __future__ import annotations

import numpy as np
import pytest

import clconv
from clconv.errors import InputError, UnsupportedError
from clconv.graph.ir import TensorSpec
from clconv.layers import Conv2d, Dense, Flatten, MaxPool2d, Relu, Sequential
from clconv.lowering.lower import lower_graph
from clconv.training.outlook import planned_steps
from tests.training.networks import convolutional

BATCH = 16


def network() -> clconv.Graph:
    layers = [layer for _ in range(4) for layer in (Conv2d(8, 3, padding="same"), Relu())]
    return Sequential(*layers, MaxPool2d(2), Flatten(), Dense(5)).build((3, 16, 16))


@pytest.mark.slow
def test_the_trainer_needs_what_was_told(device: clconv.DeviceInfo) -> None:
    whole, *others = planned_steps(network(), BATCH, device)
    assert whole.segments == 1 and others
    sizes = [step.nbytes for step in (whole, *others)]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == len(sizes)
    assert all(step.flops > whole.flops for step in others)
    trainer = clconv.Trainer(network(), device=device, recompute=others[0].nbytes)
    assert whole.state == sum(a.nbytes for a in trainer.parameters.values())
    x = np.zeros((BATCH, 3, 16, 16), np.float32)
    trainer.step(x, np.zeros(BATCH, np.int64))
    assert trainer.segments == {BATCH: others[0].segments}


def test_moments_are_state(device: clconv.DeviceInfo) -> None:
    plain, adam = (
        next(planned_steps(network(), BATCH, device, optimizer=name)) for name in ("sgd", "adam")
    )
    assert adam.state == 3 * plain.state


def test_what_cannot_learn_says_so(device: clconv.DeviceInfo) -> None:
    with pytest.raises(InputError, match="at least one example"):
        next(planned_steps(network(), 0, device))
    with pytest.raises((InputError, UnsupportedError)):
        next(planned_steps(network(), BATCH, device, loss="nothing"))


def test_another_batch_size_compiles_nothing(device: clconv.DeviceInfo) -> None:
    """As the last batch of an epoch: it takes the kernels that the first one has."""
    first, other = (next(planned_steps(convolutional(), batch, device)).plan for batch in (16, 11))
    chosen = {node: choice.variant.name for node, choice in first.lowered.choices.items()}
    calls, again = (
        lower_graph(first.graph, device).calls,
        lower_graph(other.graph, device, known=chosen).calls,
    )
    assert {c.kernel for c in again} <= {c.kernel for c in calls}


def test_sizes_that_are_open_are_not_planned(device: clconv.DeviceInfo) -> None:
    open_sizes = convolutional().replace(specs={"input": TensorSpec(("n", 3, "h", "w"))})
    with pytest.raises(InputError, match="a step is planned for known sizes"):
        next(planned_steps(open_sizes, BATCH, device))

"""What load() takes a trainer back to, and what it does not take."""

from __future__ import annotations

from pathlib import Path

import pytest

import clconv
from clconv import optim
from clconv.errors import ModelError
from clconv.training.optimisers import Optimizer
from tests.training.networks import clusters, perceptron


def trainer(device: clconv.DeviceInfo, optimizer: Optimizer) -> clconv.Trainer:
    return clconv.Trainer(perceptron(), optimizer=optimizer, device=device)


@pytest.mark.parametrize("optimizer", [optim.SGD(lr=0.1, momentum=0.9), optim.Adam(lr=0.1)])
def test_what_is_taken_back_to_its_beginning_has_no_moments(
    device: clconv.DeviceInfo, tmp_path: Path, optimizer: Optimizer
) -> None:
    """The file has none, as there were none before the first step."""
    x, y = clusters(30)
    t = trainer(device, optimizer)
    t.save(tmp_path / "begin.safetensors")
    t.fit(x, y, epochs=2, batch_size=16)
    first = t.parameters
    t.load(tmp_path / "begin.safetensors")
    assert (t.steps, t.epochs) == (0, 0)
    t.fit(x, y, epochs=2, batch_size=16)
    for name, value in t.parameters.items():
        assert value.tobytes() == first[name].tobytes(), name


def test_a_file_without_the_moments_that_are_needed(
    device: clconv.DeviceInfo, tmp_path: Path
) -> None:
    x, y = clusters(30)
    plain = trainer(device, optim.RMSprop())
    plain.step(x, y)
    plain.save(tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=r"holds no 'dense_1.\w+//mean'.*options of RMSprop"):
        trainer(device, optim.RMSprop(centered=True)).load(tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="was trained by RMSprop, this is Adam"):
        trainer(device, optim.Adam()).load(tmp_path / "a.safetensors")
    trainer(device, optim.RMSprop(lr=0.5)).load(tmp_path / "a.safetensors")

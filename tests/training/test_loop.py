"""Epochs over examples made batch by batch: what an interruption keeps, and what is no number."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import clconv
from clconv import optim
from clconv.errors import ConfigError, ModelError, TrainingError
from clconv.training.batches import Batch
from clconv.training.checkpoint import load_checkpoint
from clconv.training.interrupt import uninterrupted
from clconv.training.loop import FitOptions, Loop
from tests.training.networks import clusters, perceptron


class Held:
    """Clusters in batches; stops as Ctrl-C does at a batch of an epoch."""

    def __init__(self, count: int, stop: tuple[int, int] = (-9, 0)) -> None:
        self.x, self.y = clusters(count)
        self.stop = stop

    def __len__(self) -> int:
        return len(self.x)

    def batches(self, order: list[list[int]], epoch: int) -> Iterator[Batch]:
        for i, numbers in enumerate(order):
            if (epoch, i) == self.stop:
                raise KeyboardInterrupt
            yield Batch({"input": self.x[numbers]}, self.y[numbers])


def loop(
    device: clconv.DeviceInfo,
    checkpoint: Path,
    stop: tuple[int, int] = (-9, 0),
    lr: float = 2.0,
    **settings: str,
) -> Loop:
    """Seven epochs at a rate that makes some of them worse, but for three bad ones."""
    t = clconv.Trainer(perceptron(), optimizer=optim.SGD(lr=lr, momentum=0.9), device=device)
    plan = FitOptions(7, 16, 3, checkpoint, settings)
    held = Held(24, stop if stop[0] == -1 else (-9, 0))
    return Loop(t, Held(40, stop), held, plan, lambda *told: None, lambda *told: None)


def test_who_goes_on_comes_to_the_same_end(device: clconv.DeviceInfo, tmp_path: Path) -> None:
    """Interrupted within a later epoch, and while the first one is measured: the best, how long nothing got better, and all
    bits."""
    loop(device, tmp_path / "whole.safetensors").run()
    for stop in ((2, 2), (-1, 1)):
        with pytest.raises(KeyboardInterrupt):
            loop(device, tmp_path / "parts.safetensors", stop).run()
        rest = loop(device, tmp_path / "parts.safetensors")
        rest.resume()
        rest.run()
        for name in ("{}.safetensors", "{}.best.safetensors"):
            first, second = (load_checkpoint(tmp_path / name.format(k)) for k in ("whole", "parts"))
            assert first[1] == second[1]
            assert all(a.tobytes() == second[0][key].tobytes() for key, a in first[0].items())


def test_a_run_with_other_settings_does_not_go_on(
    device: clconv.DeviceInfo, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "a.safetensors"
    loop(device, checkpoint, **{"--batch": "16"}).run()
    with pytest.raises(ConfigError, match="made with --batch 16, this run has 8"):
        loop(device, checkpoint, **{"--batch": "8"}).resume()
    t = clconv.Trainer(perceptron(), optimizer=optim.SGD(momentum=0.9), device=device)
    t.save(checkpoint)
    with pytest.raises(ModelError, match="nothing of how far"):
        loop(device, checkpoint).resume()


def test_what_diverges_keeps_the_last_whole_epoch(
    device: clconv.DeviceInfo, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "a.safetensors"
    with pytest.raises(TrainingError, match="no use any more"):
        loop(device, checkpoint, lr=1e30).run()
    assert not checkpoint.exists()


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_waits_for_the_end_of_a_step_and_a_second_one_does_not() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("step")
    assert done == ["step"]
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("never")
    assert done == ["step"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_checkpoint_of_what_is_frozen_here_is_refused(
    device: clconv.DeviceInfo, tmp_path: Path
) -> None:
    clconv.Trainer(perceptron(), device=device).save(tmp_path / "a.safetensors")
    t = clconv.Trainer(perceptron(), freeze="dense_1.*", device=device)
    with pytest.raises(ModelError, match=r"'dense_1\.\w+', which stays as it is"):
        t.load(tmp_path / "a.safetensors")

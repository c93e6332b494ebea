"""Normalisations of data whose mean is large beside its deviation, in whole networks: on channel blocks, behind a skip
connection, by a batch's own statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from clconv.api import load
from clconv.device.info import DeviceInfo
from tests.frontend.support import model, node, value

MEAN, STEPS = 40000.0, (0.0, 2.0, 1.0, 3.0, 4.0, 1.0)  # steps of 1/256, float32's at that height


def far(*shape: int) -> np.ndarray:
    count = int(np.prod(shape))
    return (MEAN + np.resize(STEPS, count).reshape(shape) / 256).astype(np.float32)


def standardised(x: np.ndarray, axes: tuple[int, ...], epsilon: float = 1e-5) -> np.ndarray:
    wide = x.astype(np.float64)
    return np.asarray(
        (wide - wide.mean(axes, keepdims=True)) / np.sqrt(wide.var(axes, keepdims=True) + epsilon)
    )


def check(device: DeviceInfo, made: onnx.ModelProto, x: np.ndarray, expected: np.ndarray) -> Any:
    session = load(made.SerializeToString(), device=device)
    found = session.run({"x": x})["y"]
    np.testing.assert_allclose(found, expected, atol=3e-6)
    return session


def test_a_channel_of_an_image_between_convolutions(device: DeviceInfo) -> None:
    x = far(1, 32, 6, 7)
    ones = np.ones((32, 1, 1, 1), np.float32)
    made = model(
        [
            node("Conv", ["x", "w"], ["a"], group=32),
            node("InstanceNormalization", ["a", "s", "b"], ["n"]),
            node("Conv", ["n", "w"], ["y"], group=32),
        ],
        [value("x", *x.shape)],
        constants={"w": ones, "s": np.ones(32, np.float32), "b": np.zeros(32, np.float32)},
    )
    session = check(device, made, x, standardised(x, (2, 3)))
    kernels = {c.kernel.template for c in session.prepare({"x": x.shape}).plan.calls}
    if device.is_cpu and device.vector_width > 1:
        assert "norm/pixels.cl.mako" in kernels


def test_a_sum_with_a_skip_connection(device: DeviceInfo) -> None:
    x, skip = far(2, 5, 24), np.full((2, 5, 24), 256, np.float32)
    made = model(
        [
            node(
                "SkipLayerNormalization", ["x", "skip", "s", "b"], ["y"], epsilon=1e-5,
                domain="com.microsoft",
            )
        ],
        [value("x", *x.shape)],
        constants={"skip": skip, "s": np.ones(24, np.float32), "b": np.zeros(24, np.float32)},
        domains=(helper.make_opsetid("com.microsoft", 1),),
    )  # fmt: skip
    check(device, made, x, standardised(x + skip, (2,)))


@pytest.mark.parametrize("opset", [18, 21])
def test_groups_of_channels(device: DeviceInfo, opset: int) -> None:
    x = far(2, 4, 3, 5)
    channels = 2 if opset < 21 else 4  # values by group, or by channel
    made = model(
        [node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=2)],
        [value("x", *x.shape)],
        constants={"s": np.ones(channels, np.float32), "b": np.zeros(channels, np.float32)},
        opset=opset,
    )
    check(device, made, x, standardised(x.reshape(2, 2, -1), (2,)).reshape(x.shape))


def test_a_batch_by_its_own_statistics(device: DeviceInfo) -> None:
    x = far(3, 4, 5, 2)
    four = {"s": 1.0, "b": 0.0, "m": 0.0, "v": 1.0}
    made = model(
        [node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y", "mean", "var"], training_mode=1, momentum=0.0)],
        [value("x", *x.shape)],
        ["y", "mean", "var"],
        constants={name: np.full(4, number, np.float32) for name, number in four.items()},
        opset=15,
    )  # fmt: skip
    session = check(device, made, x, standardised(x, (0, 2, 3)))
    statistics = session.run({"x": x})
    wide = x.astype(np.float64)
    np.testing.assert_allclose(statistics["mean"], wide.mean((0, 2, 3)), rtol=1e-7)
    np.testing.assert_allclose(statistics["var"], wide.var((0, 2, 3)), rtol=1e-5)

"""A copied or pickled session is made anew on its device, in another process, too."""

from __future__ import annotations

import copy
import dataclasses
import multiprocessing
import pickle

import numpy as np
import pytest

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError
from clconv.graph.ir import TensorSpec
from clconv.layers import Conv2d, Dense, Flatten, Relu, Sequential
from clconv.runtime.device import found_again
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.runtime.support import picture, residual


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_a_copy_gives_the_same_bits(copied, device: DeviceInfo) -> None:
    session = Session(residual(), device, precision="float16", guard=64)
    feeds = {"x": picture(2, 3, 9, 7)}
    expected = session.run(feeds)
    found = copied(session)
    assert found is not session and found.device == session.device
    assert (found.precision, str(found.inputs)) == ("float16", str(session.inputs))
    assert {n: a.tobytes() for n, a in found.run(feeds).items()} == {
        n: a.tobytes() for n, a in expected.items()
    }
    del session
    assert found.run(feeds)["result"].tobytes() == expected["result"].tobytes()


def test_a_spawned_process_gets_the_session(device: DeviceInfo) -> None:
    session = load(Sequential(Conv2d(4, 3), Relu()).build((3, 8, 8)), device)
    feeds = {"input": picture(1, 3, 8, 8)}
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (found,) = pool.map(session.run, [feeds])
    assert found["output"].tobytes() == session.run(feeds)["output"].tobytes()


def test_a_device_is_found_where_it_stands_now(device: DeviceInfo) -> None:
    assert found_again(dataclasses.replace(device, index=device.index + 5)) == device
    with pytest.raises(DeviceError, match=r"no device .*Radeon.*there are 0: "):
        found_again(dataclasses.replace(device, name="Radeon"))


def test_a_number_names_a_device(device: DeviceInfo) -> None:
    assert load(residual(), device.index).device.name == device.name


def test_outputs_are_known_where_they_follow(device: DeviceInfo) -> None:
    layers = Sequential(Conv2d(4, 3), Flatten(), Dense(5))
    assert load(layers.build((3, 8, 8)), device).outputs == {"output": TensorSpec((1, 5))}
    open_batch = load(layers.build((3, 8, 8), batch=None), device)
    assert open_batch.outputs == {"output": TensorSpec(("N", 5))}
    assert open_batch.run({"input": np.zeros((3, 3, 8, 8), np.float32)})["output"].shape == (3, 5)
    b = Builder()
    undeclared = b.graph(b.node("Flatten", b.input(2, 3, 4), out="y", axis=1))
    undeclared = undeclared.replace(specs={"x": undeclared.specs["x"]})
    assert Session(undeclared, device).outputs == {"y": TensorSpec((2, 12))}

"""A session trusts a device with what was tried, whoever makes it."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.probes import matrix_probe, probed, shuffle_probe
from clconv.session.session import Session
from tests.graph.graph_builder import Builder

SAID = frozenset({"tf32", "f16", "emulated"})


def product() -> Graph:
    b = Builder()
    return b.graph(b.node("MatMul", b.input(40, 64), b.random(64, 48), out="y"))


@pytest.fixture
def able(device: DeviceInfo, request: pytest.FixtureRequest) -> DeviceInfo:
    """A device that says it has matrix instructions; the driver makes it one that no other test has tried."""
    driver = request.node.name
    return dataclasses.replace(device, kind="gpu", matrix=SAID, driver=driver)


@pytest.mark.parametrize("make", [Session, clconv.load], ids=["Session", "load"])
@pytest.mark.parametrize("right", [True, False])
def test_instructions_are_tried(
    make: type[Session], right: bool, able: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def multiplies_right(one: DeviceInfo, precision: str) -> bool:
        tried.extend(one.matrix - {"emulated"})
        return right

    monkeypatch.setattr(matrix_probe, "multiplies_right", multiplies_right)
    session = make(product(), able, precision="tf32")
    assert tried == ["tf32"], "once, and what the precision does not ask for is not tried"
    assert session.device.matrix_verified == right
    assert session.device.matrix == {"emulated"} | ({"tf32"} if right else set())
    (choice,) = session.prepare({"x": (40, 64)}).plan.lowered.choices.values()
    assert (choice.variant.name == "matrix") == right


def test_shuffles_are_tried(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    b = Builder()
    graph = b.graph(b.node("Softmax", b.input("n", 1000), axis=1, out="y"))
    able = dataclasses.replace(device, kind="gpu", shuffle="emulated", driver="shuffles")
    monkeypatch.setattr(shuffle_probe, "sums_right", lambda one, length: True)
    assert Session(graph, able).device.shuffle_verified
    wrong = dataclasses.replace(able, driver="wrong shuffles")
    monkeypatch.setattr(shuffle_probe, "sums_right", lambda one, length: False)
    assert not Session(graph, wrong).device.shuffle_verified


def test_a_plain_device_is_what_it_was(device: DeviceInfo) -> None:
    plain = dataclasses.replace(device, wide="")
    assert Session(product(), plain).device == plain


def test_a_copy_tries_what_the_device_said_again(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has another driver's compiler, which may be wrong where this one is right."""
    given: list[frozenset[str]] = []

    def noted(graph: Graph, device: DeviceInfo, precision: str) -> DeviceInfo:
        given.append(device.matrix)
        return dataclasses.replace(device, matrix=frozenset({"emulated"}))

    monkeypatch.setattr(probed, "probed_for", noted)
    session = Session(product(), dataclasses.replace(device, matrix=SAID), precision="tf32")
    copied = pickle.loads(pickle.dumps(session))
    assert given == [SAID, SAID] and copied.device.matrix == {"emulated"}

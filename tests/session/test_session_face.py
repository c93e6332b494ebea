"""How a session is used and shown: calls, its end, its text."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import ClosedError, InputError
from clconv.graph.ir import TensorSpec
from clconv.graph.reference import run_reference
from clconv.layers import Conv2d, Dense, Flatten, Network, Relu, Sequential
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.patience import HANG
from tests.runtime.support import assert_agrees, picture, residual


def two_inputs() -> clconv.Graph:
    b = Builder()
    x, y = b.input(2, 3, name="x"), b.input(2, 3, name="y")
    b.node("Sub", x, y, out="less")
    return b.graph("less", b.node("Add", x, y, out="more"))


def test_a_closed_session_says_so(device: DeviceInfo) -> None:
    x = picture(1, 3, 6, 6)
    with clconv.load(residual(), device) as session:
        assert not session.closed
        session.run({"x": x})
    assert session.closed
    for use in (
        lambda: session.run({"x": x}),
        lambda: session(x),
        lambda: session("what does not fit either"),
        lambda: session.prepare({"x": x.shape}),
        lambda: session.activations(x, ["result"]),
        lambda: session.check({"x": x}, lambda *found: None),
        session.__enter__,
    ):
        with pytest.raises(ClosedError, match="session of 'test' is closed; load the model again"):
            use()
    session.close()
    assert repr(session) == "<Session 'test', closed>"
    assert str(session.inputs) == "{'x': float32[nx3xhxw]}" and session.precision == "float32"


def test_close_frees_what_is_on_the_device(device: DeviceInfo) -> None:
    session = clconv.load(residual(1, 8, 8), device)
    constants = session._shared.prepared.constants
    session.run(picture(1, 3, 8, 8))
    assert constants.nbytes > 0
    session.close()
    assert constants.nbytes == 0


def test_a_run_under_way_ends_well_after_close(device: DeviceInfo) -> None:
    session = clconv.load(residual(), device)
    x = picture(2, 3, 16, 16)
    expected = session.run({"x": x})
    entered, closed, found = threading.Event(), threading.Event(), []
    inner = session._stage.run

    def slow(*args: object) -> object:
        entered.set()
        assert closed.wait(HANG)
        return inner(*args)  # type: ignore[arg-type]

    session._stage.quick = None  # which would not wait there
    session._stage.run = slow  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=lambda: found.append(session.run({"x": x})))
    thread.start()
    assert entered.wait(HANG)
    session.close()
    closed.set()
    thread.join(HANG)
    assert found[0]["result"].tobytes() == expected["result"].tobytes()


def test_one_input_takes_an_array_or_lists(device: DeviceInfo) -> None:
    graph = residual()
    session = clconv.load(graph, device)
    x = picture(2, 3, 5, 6)
    expected = run_reference(graph, {"x": x})
    for fed in ({"x": x}, x, x.tolist(), list(x), [x], (x,)):
        assert_agrees(session.run(fed), {"result": expected["result"]})
    for found in (session(x), session(x.tolist()), session(x=x), session({"x": x})):
        assert_agrees({"result": found}, {"result": expected["result"]})


def test_several_inputs_take_a_list_in_their_order(device: DeviceInfo) -> None:
    session = clconv.load(two_inputs(), device)
    x, y = picture(2, 3, seed=1), picture(2, 3, seed=2)
    for found in (session.run([x, y]), session(x, y), session(x, y=y), session(y=y, x=x)):
        assert list(found) == ["less", "more"]
        assert np.array_equal(found["less"], x - y)
    with pytest.raises(InputError, match=r"takes 2 arrays, 'x': float32\[2x3\].*; 3 were given"):
        session(x, y, x)
    with pytest.raises(InputError, match="a mapping by name or a list in this order, not ndarray"):
        session.run(x)
    with pytest.raises(InputError, match=r"\['z'\] unknown, \['y'\] missing"):
        session(x, z=y)
    with pytest.raises(InputError, match="'x' is given twice"):
        session(x, x=y)


def test_a_session_in_a_line_and_as_a_table(device: DeviceInfo) -> None:
    network = Sequential(Conv2d(4, 3), Relu(), Flatten(), Dense(5))
    session = clconv.load(network.build((3, 8, 8), name="<net>"), device)
    text = repr(session)
    assert "\n" not in text and str(device) in text
    assert "input float32[1x3x8x8] -> output float32[1x5]" in text
    page = session._repr_html_()
    assert "<table>" in page and "&lt;net&gt;" in page and "<net>" not in page
    for word in ("input", "float32[1x3x8x8]", "float32[1x5]", "Conv", "Gemm"):
        assert word in page


def test_outputs_that_follow_are_told_in_the_place_of_open_ones(device: DeviceInfo) -> None:
    b = Builder()
    graph = b.graph(b.node("Flatten", b.input(2, 3, 4), out="y", axis=1))
    declared = {"output_specs": {"y": TensorSpec(("batch", None))}}
    graph = graph.replace(specs={"x": graph.specs["x"]}, metadata=declared)
    assert Session(graph, device).outputs == {"y": TensorSpec((2, 12))}
    opened = graph.replace(specs={"x": TensorSpec(("batch", 3, 4))})
    assert Session(opened, device).outputs == declared["output_specs"]


def test_a_network_is_a_model(device: DeviceInfo) -> None:
    network = Network((3, 8, 8))
    seen = network(Conv2d(4, 3), network.input)
    network(Relu(), seen)
    network(Dense(2, name="scores"), seen)
    session = clconv.load(network, device)
    assert list(session.outputs) == ["relu_1", "scores"]
    with pytest.raises(clconv.errors.ModelError, match=r"a layer \(Conv2d\) has no sizes yet"):
        clconv.load(Conv2d(4, 3), device)  # type: ignore[arg-type]


def test_a_copy_knows_the_values_inside_too(device: DeviceInfo) -> None:
    session = clconv.load(Sequential(Conv2d(4, 3), Relu()).build((3, 6, 6)), device)
    x = picture(1, 3, 6, 6)
    expected = session.activations(x, "conv2d_1")
    found = copy.copy(session).activations(x, "conv2d_1")
    assert found["conv2d_1"].tobytes() == expected["conv2d_1"].tobytes()

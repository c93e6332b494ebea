"""Values inside a network: asked for beside its outputs, or as its outputs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import clconv
from clconv.api import read_model
from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.graph.inside import value_names, with_outputs
from clconv.graph.ir import Constant, Graph
from clconv.graph.reference import run_reference
from clconv.session.session import Session
from tests.conftest import asks_for_all
from tests.graph.graph_builder import Builder
from tests.runtime.support import SAME, assert_agrees, counted, picture, residual
from tests.session.state_graphs import descent


def folded() -> Graph:
    """What passes join: Conv with BatchNormalization, Relu and a sum; Pad into Conv; two Transposes that cancel."""
    b = Builder()
    x = b.input(1, 4, 6, 6)
    y = b.conv(x, 8, 4, 3, out="convolved", **SAME)
    stats = [b.random(8), b.random(8), b.random(8), b.constant(np.linspace(0.5, 2, 8))]
    y = b.node("BatchNormalization", y, *stats, out="normed")
    y = b.node("Relu", y, out="first")
    z = b.conv(y, 8, 8, 1, out="second")
    y = b.node("Add", z, y, out="sum")
    y = b.node("Transpose", y, out="turned", perm=(0, 2, 3, 1))
    y = b.node("Sigmoid", y, out="squashed")
    y = b.node("Transpose", y, out="back", perm=(0, 3, 1, 2))
    return b.graph(b.node("Relu", y, out="last"))


NAMES = ["convolved", "normed", "first", "second", "sum", "turned", "squashed", "back", "last"]


def every_value(graph: Graph, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return run_reference(graph.replace(outputs=tuple(NAMES)), feeds)


def test_values_that_passes_join_are_right_alone_and_together(
    device: DeviceInfo, request: pytest.FixtureRequest
) -> None:
    graph = folded()
    session = clconv.load(graph, device)
    assert len(session.graph.nodes) < len(graph.nodes) - 2  # they do join
    feeds = {"x": picture(1, 4, 6, 6)}
    expected = every_value(graph, feeds)
    assert_agrees(session.activations(feeds, NAMES), {n: expected[n] for n in NAMES})
    for name in NAMES if asks_for_all(request.config) else NAMES[::3]:
        assert_agrees(session.activations(feeds["x"], name), {name: expected[name]})
    assert_agrees(session.run(feeds), {"last": expected["last"]})


def test_values_inside_as_outputs(device: DeviceInfo) -> None:
    graph = folded()
    feeds = {"x": picture(1, 4, 6, 6)}
    expected = every_value(graph, feeds)
    session = clconv.load(graph, device, outputs=["second", "normed"])
    assert list(session.outputs) == ["second", "normed"]
    assert str(session.outputs["second"]) == "float32[1x8x6x6]"
    found = session.run(feeds)
    assert list(found) == ["second", "normed"]
    assert_agrees(found, {n: expected[n] for n in found})
    assert all(node.op != "Sigmoid" for node in session.graph.nodes)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float16", "strict"])
def test_at_other_precisions(precision: str, device: DeviceInfo) -> None:
    graph = folded()
    feeds = {"x": picture(1, 4, 6, 6)}
    expected = every_value(graph, feeds)
    found = clconv.load(graph, device, precision=precision).activations(feeds, NAMES)
    for name in NAMES:
        assert found[name].dtype == np.float32
        assert np.abs(found[name] - expected[name]).max() < 2e-2, name


def test_nodes_inputs_and_weights_have_names_too(device: DeviceInfo) -> None:
    b = Builder()
    x = b.input("n", 3, 4, 4)
    b.node("Relu", b.conv(x, 2, 3, out="c"), out="y")
    graph = b.graph("y")
    session = clconv.load(graph, device)
    x = picture(2, 3, 4, 4)
    names = ["x", graph.nodes[0].name, graph.nodes[0].inputs[1], "y", "c"]
    found = session.activations(x, names)
    assert list(found) == names
    assert np.array_equal(found["x"], x)
    assert np.array_equal(found[names[1]], found["c"])
    assert np.array_equal(found[names[2]], graph.constants[names[2]].array)
    assert np.array_equal(found["y"], session.run(x)["y"])


def test_unknown_names_are_told_with_what_is_like_them(device: DeviceInfo) -> None:
    session = clconv.load(folded(), device)
    x = picture(1, 4, 6, 6)
    with pytest.raises(
        InputError, match=r"no value 'convolvd' in 'test'; did you mean 'convolved'"
    ):
        session.activations(x, ["first", "convolvd"])
    with pytest.raises(InputError, match=r"no value 'FIRST'.*did you mean 'first'"):
        session.activations(x, "FIRST")
    with pytest.raises(InputError, match=r"no value '%'.*; there are 'convolved', .* and 1 more"):
        clconv.load(folded(), device, outputs=["%"])
    with pytest.raises(InputError, match="a list of names, not the text 'first'"):
        clconv.load(folded(), device, outputs="first")
    assert session.activations(x, []) == {}


def test_the_same_question_is_planned_once(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clconv.planning.planner import Planner

    session = clconv.load(residual(), device)
    x = picture(1, 3, 7, 7)
    first = session.activations(x, "v1")
    with counted(monkeypatch, (Planner, "plan")) as calls:
        again = session.activations(x, ["v1"])
    assert calls == [] and again["v1"].tobytes() == first["v1"].tobytes()


def test_state_stays_as_it_is(device: DeviceInfo) -> None:
    graph = descent(3)
    session = Session(graph, device)
    feeds = {n: np.ones(s.shape, s.dtype.numpy) for n, s in session.inputs.items()}
    before = {n: session.state.read(n) for n in graph.state}
    inner = [o for node in graph.nodes for o in node.outputs][:2]
    session.activations(feeds, inner)
    assert {n: session.state.read(n).tobytes() for n in graph.state} == {
        n: a.tobytes() for n, a in before.items()
    }


def test_initialisers_that_are_fed_count(device: DeviceInfo) -> None:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Mul", ["x", "w"], ["product"]),
            onnx.helper.make_node("Relu", ["product"], ["y"]),
        ],
        "defaults",
        [value("x", 1, [3]), value("w", 1, [3])],
        [value("y", 1, [3])],
        [onnx.numpy_helper.from_array(np.full(3, 2, np.float32), "w")],
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    session = clconv.load(model.SerializeToString(), device)
    x = np.array([1, -2, 3], np.float32)
    assert session.activations({"x": x}, "product")["product"].tolist() == [2, -4, 6]
    fed = {"x": x, "w": np.full(3, 5, np.float32)}
    assert session.activations(fed, "product")["product"].tolist() == [5, -10, 15]


def test_values_behind_a_cut_can_be_asked_for(device: DeviceInfo) -> None:
    """Sizes that depend on what the input holds: the rest of the network is planned during the run."""
    b = Builder()
    x = b.input(6)
    b.node("NonZero", x, out="where")
    b.constants["two"] = Constant(np.array(2, np.int64))
    b.node("Mul", "where", "two", out="doubled")
    graph = b.graph(b.node("Neg", "doubled", out="y"))
    session = clconv.load(graph, device)
    x = np.array([0, 1, 0, 2, 3, 0], np.float32)
    found = session.activations(x, ["doubled", "where"])
    assert found["where"].tolist() == [[1, 3, 4]] and found["doubled"].tolist() == [[2, 6, 8]]


def test_a_file_has_all_its_values() -> None:
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            node("Identity", ["x"], ["same"]),
            node("Dropout", ["same"], ["kept"]),
            node("Constant", [], ["one"], value=onnx.numpy_helper.from_array(np.float32([1]))),
            node("Add", ["kept", "one"], ["sum"]),
            node("HardSwish", ["sum"], ["y"]),
        ],
        "all",
        [value("x", 1, [2])],
        [value("y", 1, [2])],
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    imported = read_model(model.SerializeToString())
    names = ["x", "same", "kept", "one", "sum", "y"]
    assert value_names(imported, names) == tuple(names)
    assert with_outputs(imported, names).outputs == tuple(names)

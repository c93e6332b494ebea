"""Graphs and what they are made of can be copied, pickled and shown, and compare by what they hold."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from clconv.api import read_model
from clconv.graph import described
from clconv.graph.ir import ANY_SHAPE, Attributes, Constant, DType, Graph, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.layers import Conv2d, Dense, Flatten, Relu, Sequential
from tests.graph.graph_builder import Builder


def _pickled(protocol: int) -> Callable[[Any], Any]:
    return lambda value: pickle.loads(pickle.dumps(value, protocol))


COPIES = [copy.copy, copy.deepcopy, *map(_pickled, range(2, pickle.HIGHEST_PROTOCOL + 1))]


def with_a_branch(folder: Path) -> Graph:
    """A subgraph as an attribute, a tensor as an attribute, and weights in a file beside the model."""
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    kept = onnx.helper.make_graph([node("Relu", ["x"], ["a"])], "kept", [], [value("a", 1, None)])
    other = onnx.helper.make_graph([node("Abs", ["x"], ["b"])], "other", [], [value("b", 1, None)])
    fill = onnx.helper.make_tensor("fill", 1, [1], [2.0])
    weights = onnx.numpy_helper.from_array(np.arange(40000, dtype=np.float32), "w")
    graph = onnx.helper.make_graph(
        [
            node("If", ["c"], ["y"], then_branch=kept, else_branch=other),
            node("Shape", ["x"], ["s"]),
            node("ConstantOfShape", ["s"], ["twos"], value=fill),
            node("Sum", ["y", "twos", "w"], ["z"]),
        ],
        "graph",
        [value("x", 1, ["n"]), value("c", 9, [])],
        [value("z", 1, ["n"])],
        [weights],
    )
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    model.metadata_props.add(key="labels", value="a,b")
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, size_threshold=0)
    return read_model(folder / "m.onnx")


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("optimised", [False, True])
def test_a_copied_graph_equals_the_graph(
    copied: Callable[[Any], Any], optimised: bool, tmp_path: Path
) -> None:
    layers = Sequential(Conv2d(4, 3), Relu(), Flatten(), Dense(5)).build((3, 6, 6), batch=None)
    feeds = {
        layers.name: {"input": np.ones((2, 3, 6, 6), np.float32)},
        "graph": {"x": np.arange(40000, dtype=np.float32) - 9, "c": np.array(True)},
    }
    for graph in (layers, with_a_branch(tmp_path)):
        if optimised:
            graph = run_passes(graph)
        found = copied(graph)
        assert found == graph and graph == found and str(found) == str(graph)
        assert found.metadata == graph.metadata
        for name, value in run_reference(graph, feeds[graph.name]).items():
            assert run_reference(found, feeds[graph.name])[name].tobytes() == value.tobytes()


def test_a_copied_graph_shares_the_weights_and_nothing_that_can_change() -> None:
    graph = Sequential(Conv2d(4, 3)).build((3, 6, 6)).replace(metadata={"custom": {"a": "b"}})
    found = copy.deepcopy(graph)
    assert all(found.constants[name] is graph.constants[name] for name in graph.constants)
    found.metadata["custom"]["a"] = "c"
    assert graph.metadata["custom"] == {"a": "b"} and found != graph


def test_what_differs_is_not_equal() -> None:
    graph = Sequential(Conv2d(4, 3)).build((3, 6, 6))
    (name,) = [n for n in graph.constants if n.endswith("weight")]
    other = graph.constants[name].array.copy()
    other[0, 0, 0, 0] += 1
    assert graph != graph.replace(constants={**graph.constants, name: Constant(other)})
    assert graph != graph.replace(name="another")
    zero, negative = Constant(np.zeros(2)), Constant(-np.zeros(2))
    assert zero != negative and zero == Constant(np.zeros(2)) and hash(zero) == hash(negative)
    assert Constant(np.array([np.nan])) == Constant(np.array([np.nan]))
    assert Constant(np.zeros(2)) != Constant(np.zeros((2, 1))) and zero != 0
    one, two = Attributes(a=np.ones(2)), Attributes(a=np.array([1.0, 2.0]))
    assert one == Attributes(a=np.ones(2)) and one != two and one != Attributes(b=1) and one != {}


def test_specs_print_as_people_write_them() -> None:
    specs = {"x": TensorSpec((1, 3, 224, 224)), "y": TensorSpec(("N", None))}
    assert str(specs) == "{'x': float32[1x3x224x224], 'y': float32[Nx?]}"


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((1, 3, 224, 224), "1x3x224x224"),
        ((), "scalar"),
        (ANY_SHAPE, "..."),
        (("n", 3, "h", "w"), "nx3xhxw"),
        (("batch", 3, "height", 224), "batch x 3 x height x 224"),
        ((None, 3, None, None), "Nx3xHxW"),
        ((None, None, None, 3), "NxHxWx3"),
        ((None, 3, "H", None), "?x3xHx?"),
        ((None, None, None, None), "Nx?x?x?"),
        (("N", None), "Nx?"),
        (("2*n", 4), "2*nx4"),
    ],
)
def test_open_sizes_have_names(shape: tuple[object, ...], text: str) -> None:
    assert str(TensorSpec(shape)) == repr(TensorSpec(shape)) == f"float32[{text}]"
    assert str(TensorSpec(shape, DType.INT64)) == f"int64[{text}]"


def small() -> Graph:
    b = Builder()
    x = b.conv(b.input(1, 3, 8, 8), 4, 3, 3)
    return b.graph(b.node("Relu", x, out="<y>"))


def test_a_graph_in_a_line() -> None:
    line = repr(small())
    assert line == "<Graph 'test': x float32[1x3x8x8] -> <y> ?; 2 nodes, 112 parameters>"
    assert "\n" in str(small())
    assert repr([small()]) == f"[{line}]"


def test_a_graph_for_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described, "DRAWINGS", [])
    page = small()._repr_html_()
    assert "<y>" not in page and "&lt;y&gt;" in page and "float32[1x3x8x8]" in page
    assert "<svg" not in page
    monkeypatch.setattr(described, "DRAWINGS", [lambda graph: f"<svg>{graph.name}</svg>"])
    assert "<svg>test</svg>" in small()._repr_html_()


def test_numbers_of_numpy_are_those_of_python() -> None:
    """Equal attributes have equal texts: kernels are told apart by them."""
    plain = Attributes(axis=1, pads=(1, 2), scale=0.5, keep=True)
    given = Attributes(
        axis=np.int64(1), pads=[np.int32(1), np.int8(2)], scale=np.float32(0.5), keep=np.bool_(True)
    )
    assert given == plain and repr(dict(given)) == repr(dict(plain))

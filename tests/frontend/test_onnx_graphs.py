"""Structure: order, cycles, names, what is unsupported, metadata."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from clconv.errors import GraphError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.graph.ir import DType, TensorSpec
from tests.frontend.support import agree, close, model, node, random, run_graph, value

X = random(2, 3)


def load(proto):
    return import_onnx(proto.SerializeToString())


def relus(*pairs, **more):
    """A chain of named Relu nodes r0, r1, ... from (input, output) pairs."""
    nodes = [node("Relu", [a], [b], name=f"r{i}") for i, (a, b) in enumerate(pairs)]
    return model(nodes, [value("x", 2, 3)], [value("y", 2, 3)], **more)


def test_unsorted_nodes_are_sorted():
    graph = load(relus(("b", "y"), ("a", "b"), ("x", "a")))
    assert [n.name for n in graph.nodes] == ["r2", "r1", "r0"]
    close(run_graph(graph, {"x": X})[0], np.maximum(X, 0))


def test_sound_order_is_kept():
    nodes = [node("Relu", ["x"], [f"v{i}"], name=f"n{i}") for i in range(30)]
    graph = load(model(nodes, [value("x", 2)], [value(f"v{i}", 2) for i in range(30)]))
    assert [n.name for n in graph.nodes] == [f"n{i}" for i in range(30)]


def test_cycles_name_their_nodes():
    proto = model(
        [
            node("Relu", ["x"], ["a"], name="before"),
            node("Add", ["a", "d"], ["b"], name="first"),
            node("Relu", ["b"], ["c"], name="second"),
            node("Relu", ["c"], ["d"], name="third"),
            node("Relu", ["d"], ["y"], name="after"),
        ],
        [value("x", 2)],
    )
    with pytest.raises(GraphError, match="cycle") as caught:
        load(proto)
    text = str(caught.value)
    assert all(f"'{name}'" in text for name in ("first", "second", "third"))
    assert "'before'" not in text and "'after'" not in text
    with pytest.raises(GraphError, match=r"cycle.*'r0'"):
        load(relus(("y", "y")))


@pytest.mark.parametrize(
    ("proto", "wanted"),
    [
        (relus(("x", "a"), ("nowhere", "y")), r"'r1' \(Relu\) uses 'nowhere'"),
        (relus(("x", "a"), ("x", "a"), ("a", "y")), "'a' is defined twice: by .*'r0'.*'r1'"),
        (relus(("x", "x")), "'r0'.*'x', which is already defined"),
        (relus(("x", "a")), "output 'y' is never computed"),
        (relus(("w", "y"), ("x", "w"), constants={"w": X}), "'r1'.*'w', which is already defined"),
        (model([node("Relu", ["x"], [""], name="r")], [value("x", 2)]), "'r'.*(no output|outputs)"),
        (model([node("Relu", ["x"], ["y"])], [value("x", 2)], []), "no outputs"),
        (model([node("Relu", ["x"], ["y"])], [value("x", 2)], ["y", "y"]), "listed twice"),
        (model([node("Relu", ["x"], ["y"])], [value("x", 2)] * 2), "input 'x' is defined twice"),
    ],
)
def test_broken_graphs_name_node_and_value(proto, wanted):
    with pytest.raises(GraphError, match=wanted):
        load(proto)


def test_initializer_defined_twice():
    proto = relus(("x", "y"), constants={"w": X})
    proto.graph.initializer.append(proto.graph.initializer[0])
    with pytest.raises(GraphError, match="initializer 'w' is defined twice"):
        load(proto)


def test_every_unsupported_operator_is_in_one_error():
    body = helper.make_graph(
        [node("RegexFullMatch", ["x"], ["b"], name="inside", pattern="a")],
        "then",
        [],
        [value("b", 2, 3)],
    )
    proto = model(
        [
            node("Relu", ["x"], ["a"]),
            node("CropAndResize", ["a"], ["b"], name="fused", domain="com.microsoft"),
            node("CropAndResize", ["b"], ["c"], name="fused_too", domain="com.microsoft"),
            node("TfIdfVectorizer", ["c"], ["d"], name="words"),
            node("NoSuchOperator", ["d"], ["e"], name="odd"),
            node("If", ["flag"], ["y"], name="branch", then_branch=body, else_branch=body),
        ],
        [value("x", 2, 3), value("flag", dtype=TensorProto.BOOL)],
        domains=[helper.make_opsetid("com.microsoft", 1)],
    )
    with pytest.raises(UnsupportedError) as caught:
        load(proto)
    text = str(caught.value)
    assert "4 operators" in text
    for part in ("com.microsoft.CropAndResize x2", "'fused'", "TfIdfVectorizer x1", "NoSuchOperator x1",
                 "RegexFullMatch x2", "'inside'"):  # fmt: skip
        assert part in text
    assert "Relu" not in text


def test_unsupported_comes_before_what_follows_from_it():
    """A convolution behind an unknown operator cannot know its axes; that is not the first thing to say."""
    proto = model(
        [
            node("Mystery", ["x"], ["w"], name="odd", domain="my.own"),
            node("Conv", ["w", "w"], ["y"], name="conv"),
        ],
        [value("x", None)],
        domains=[helper.make_opsetid("my.own", 1)],
    )
    with pytest.raises(UnsupportedError, match=r"my\.own\.Mystery"):
        load(proto)


def test_unnamed_and_equally_named_nodes_get_names_of_their_own():
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("Relu", ["a"], ["b"], name="same"),
        node("Relu", ["b"], ["c"], name="same"),
        node("Relu", ["c"], ["d"], name="Relu_0"),
        node("Relu", ["d"], ["y"]),
    ]
    names = [n.name for n in load(model(nodes, [value("x", 2)])).nodes]
    assert len(set(names)) == 5
    assert names[1] == "same" and names[3] == "Relu_0" and names[4] == "Relu_4"


@pytest.mark.parametrize(
    "name",
    [
        "${import os}",
        "% for i in range(9):",
        "*/ int x; /*",
        "a\nb",
        "../../etc",
        "a b'\"\\",
        "é漢",
        "##",
    ],
)
def test_names_may_be_any_text(name):
    proto = model(
        [
            node("Clip", [name], [name + "1"], name=name, min=0.0),
            node("Relu", [name + "1"], [name + "2"]),
        ],
        [value(name, 2, 3)],
        [value(name + "2", 2, 3)],
        opset=10,
    )
    graph = agree(proto, {name: X})
    assert graph.inputs == (name,) and graph.nodes[0].name == name


def test_generated_names_avoid_the_models_own():
    """The constant that min becomes is called 'clip/min', unless the model has that already."""
    proto = model(
        [
            node("Clip", ["x"], ["clip/min"], name="clip", min=0.0),
            node("Relu", ["clip/min"], ["y"]),
        ],
        [value("x", 2, 3)],
        [value("y", 2, 3)],
        opset=10,
    )
    agree(proto, {"x": X})


def test_inputs_with_initializers_are_constants():
    for version in (3, 8):
        proto = model(
            [node("Add", ["x", "w"], ["y"])],
            [value("x", 2, 3), value("w", 2, 3)],
            [value("y", 2, 3)],
            {"w": X},
            opset=8,
            ir_version=version,
        )
        graph = agree(proto, {"x": X})
        assert graph.inputs == ("x",) and "w" in graph.constants


def test_unused_constants_are_dropped_and_identities_share_theirs():
    proto = model(
        [
            node("Identity", ["w"], ["v"]),
            node("Identity", ["v"], ["u"]),
            node("Add", ["x", "u"], ["t"]),
            node("Add", ["t", "w"], ["y"]),
        ],
        [value("x", 2, 3)],
        [value("y", 2, 3)],
        {"w": X, "unused": X},
    )
    graph = agree(proto, {"x": X})
    assert set(graph.constants) == {"w", "u"}
    assert graph.constants["w"] is graph.constants["u"]


def test_outputs_may_be_constants_and_inputs():
    proto = model(
        [node("Relu", ["x"], ["y"]), node("Constant", [], ["c"], value_float=2.0)],
        [value("x", 2, 3)],
        [value("y", 2, 3), value("c"), value("x", 2, 3)],
    )
    results = run_graph(load(proto), {"x": X})
    assert results[1] == 2
    np.testing.assert_array_equal(results[2], X)


def test_symbolic_and_unknown_sizes_are_kept():
    proto = model(
        [node("Relu", ["x"], ["y"])],
        [value("x", "batch", 3, None, -1)],
        [value("y", "batch", 3, "height", None)],
    )
    graph = load(proto)
    assert graph.specs["x"] == TensorSpec(("batch", 3, None, None))
    assert graph.metadata["output_specs"]["y"] == TensorSpec(("batch", 3, "height", None))


def test_metadata():
    proto = model(
        [node("Relu", ["x"], ["y"])],
        [value("x", 2, dtype=TensorProto.DOUBLE)],
        [value("y", 2, dtype=TensorProto.DOUBLE)],
        opset=17,
        producer_name="maker",
        producer_version="1.2",
        domain="org.example",
        model_version=5,
        doc_string="reads text",
    )
    helper.set_model_props(proto, {"character": "a\nb\nc"})
    proto.graph.doc_string = "one node"
    found = load(proto).metadata
    assert found["producer_name"] == "maker" and found["producer_version"] == "1.2"
    assert found["domain"] == "org.example" and found["version"] == 5
    assert found["description"] == "reads text" and found["graph_description"] == "one node"
    assert found["custom"] == {"character": "a\nb\nc"}
    assert found["opsets"] == {"": 17} and found["ir_version"] == 8
    assert found["output_specs"]["y"].dtype is DType.FLOAT64

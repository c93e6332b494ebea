"""Structure: order, cycles, names, what is unsupported, branches, functions, metadata."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from clconv.errors import GraphError, ModelError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.frontend.onnx.files import Origin
from clconv.frontend.onnx.functions import expand_functions
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
            node("FusedConv", ["a"], ["b"], name="fused", domain="com.microsoft"),
            node("FusedConv", ["b"], ["c"], name="fused_too", domain="com.microsoft"),
            node("Multinomial", ["c"], ["d"], name="dice"),
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
    for part in ("com.microsoft.FusedConv x2", "'fused'", "Multinomial x1", "NoSuchOperator x1",
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


def branch(nodes, output, constants=None):
    tensors = [numpy_helper.from_array(a, n) for n, a in (constants or {}).items()]
    return helper.make_graph(nodes, "branch", [], [value(output, None, None)], tensors)


def test_if_with_a_constant_condition_becomes_its_branch():
    for flag in (True, False):
        # Both branches use the same inner names, and one takes a value from outside.
        then = branch([node("Relu", ["x"], ["t"]), node("Mul", ["t", "k"], ["o"])], "o", {"k": X})
        other = branch([node("Neg", ["a"], ["t"]), node("Identity", ["t"], ["o"])], "o")
        proto = model(
            [
                node("If", ["flag"], ["y"], name="if", then_branch=then, else_branch=other),
                node("Abs", ["x"], ["a"]),
                node("If", ["flag"], ["z"], name="if too", then_branch=then, else_branch=other),
            ],
            [value("x", 2, 3)],
            [value("y", 2, 3), value("z", 2, 3)],
            {"flag": np.array(flag)},
        )
        agree(proto, {"x": X})


def test_if_on_a_shape_that_is_known():
    """What exporters write for squeeze(1): is the second size 1?"""
    squeezed = branch([node("Squeeze", ["x", "one"], ["o"])], "o", {"one": np.int64([1])})
    unsupported = branch(
        [node("Bernoulli", ["x"], ["b"]), node("ReduceMax", ["b", "one"], ["o"], keepdims=0)],
        "o",
        {"one": np.int64([1])},
    )
    proto = model(
        [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "i"], ["d"]),
            node("Equal", ["d", "n"], ["flag"]),
            node("If", ["flag"], ["y"], then_branch=squeezed, else_branch=unsupported),
        ],
        [value("x", 2, 1, 3)],
        [value("y", 2, 3)],
        {"i": np.int64(1), "n": np.int64(1)},
    )
    agree(proto, {"x": random(2, 1, 3)})
    for size in ("n", 2):  # unknown, or false: the branch that is not supported
        proto.graph.input[0].CopyFrom(value("x", 2, size, 3))
        with pytest.raises(UnsupportedError, match="Bernoulli"):
            load(proto)


def test_branches_that_break_rules():
    for nodes, wanted in (
        ([node("Relu", ["nowhere"], ["o"])], "uses 'nowhere'"),
        ([node("Relu", ["o"], ["o"])], "cycle"),
        ([node("Relu", ["x"], ["o"]), node("Relu", ["x"], ["o"])], "'o' is defined twice"),
    ):
        proto = model(
            [
                node(
                    "If",
                    ["flag"],
                    ["y"],
                    then_branch=branch(nodes, "o"),
                    else_branch=branch(nodes, "o"),
                )
            ],
            [value("x", 2, 3)],
            constants={"flag": np.array(True)},
        )
        with pytest.raises(GraphError, match=wanted):
            load(proto)


def function(name, nodes, inputs, outputs, attributes=(), opset=17):
    return helper.make_function(
        "my.own", name, inputs, outputs, nodes,
        [helper.make_opsetid("", opset), helper.make_opsetid("my.own", 1)], attributes,
    )  # fmt: skip


def test_local_functions_are_inlined():
    inner = node("LeakyRelu", ["a"], ["b"])
    inner.attribute.append(
        onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    )
    proto = model(
        [
            node("Twice", ["x"], ["t"], name="one", domain="my.own", slope=0.3),
            node("Add", ["t", "w"], ["y"]),
        ],
        [value("x", 2, 3)],
        [value("y", 2, 3)],
        {"w": random(2, 3, seed=4)},
        opset=17,
        domains=[helper.make_opsetid("my.own", 1)],
        functions=[
            function("Leak", [inner], ["a"], ["b"], ["slope"]),
            function(
                "Twice", [node("Add", ["a", "a"], ["s"]), _leak("s", "b")], ["a"], ["b"], ["slope"]
            ),
        ],
    )
    agree(proto, {"x": X})


def _leak(source, target):
    call = node("Leak", [source], [target], domain="my.own")
    call.attribute.append(
        onnx.AttributeProto(name="slope", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    )
    return call


def test_functions_that_call_themselves_are_refused():
    proto = model(
        [node("F", ["x"], ["y"], domain="my.own")],
        [value("x", 2, 3)],
        opset=17,
        domains=[helper.make_opsetid("my.own", 1)],
        functions=[
            function("F", [node("G", ["a"], ["b"], domain="my.own")], ["a"], ["b"]),
            function("G", [node("F", ["a"], ["b"], domain="my.own")], ["a"], ["b"]),
        ],
    )
    with pytest.raises(GraphError, match=r"call themselves.*my\.own\.F"):
        load(proto)


def test_operators_that_onnx_defines_by_a_function_are_expanded():
    proto = model(
        [node("HannWindow", ["n"], ["h"]), node("Mul", ["x", "h"], ["y"])],
        [value("x", 2, 8)],
        [value("y", 2, 8)],
        {"n": np.int64(8)},
        opset=17,
    )
    agree(proto, {"x": random(2, 8)}, 1e-5)


def test_a_definition_that_needs_what_is_missing_is_not_expanded():
    proto = model([node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])], [value("x", 2, 3)])
    origin = Origin("here", None)
    body = [
        "Add",
        "Cast",
        "Clip",
        "Constant",
        "Div",
        "Max",
        "Min",
        "Neg",
        "QuantizeLinear",
        "Round",
    ]
    body += ["ReduceMax", "ReduceMin", "Identity", "Sub"]
    kept = expand_functions(proto, origin, [op for op in body if op != "Round"])
    assert [n.op_type for n in kept.graph.node] == ["DynamicQuantizeLinear"]
    expanded = expand_functions(proto, origin, body)
    assert "Round" in {n.op_type for n in expanded.graph.node}


def test_deep_graphs_do_not_recurse():
    count = 5000
    nodes = [node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in reversed(range(count))]
    graph = load(model(nodes, [value("v0", 2)], [value(f"v{count}", 2)]))
    assert len(graph.nodes) == count


def test_what_a_loop_holds_is_refused_by_name():
    body = helper.make_graph(
        [node("Identity", ["c"], ["c2"]), node("Unknown", ["v"], ["v2"], name="deep")],
        "body",
        [value("i", dtype=TensorProto.INT64), value("c", dtype=TensorProto.BOOL), value("v", 2)],
        [value("c2", dtype=TensorProto.BOOL), value("v2", 2)],
    )
    proto = model([node("Loop", ["", "t", "x"], ["y"], body=body)], [value("x", 2)],
                  constants={"t": np.array(True)})  # fmt: skip
    with pytest.raises(ModelError, match=r"(?s)Unknown x1.*'deep'"):
        load(proto)

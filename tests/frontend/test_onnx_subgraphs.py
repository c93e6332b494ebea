"""Structure: branches, functions, loops, and graphs that are very deep."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from clconv.errors import GraphError, ModelError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.frontend.onnx.functions import expand_functions
from clconv.frontend.onnx.reading.files import Origin
from tests.frontend.support import agree, model, node, random, value

X = random(2, 3)


def load(proto):
    return import_onnx(proto.SerializeToString())


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
        [
            node("Cast", ["x"], ["text"], to=TensorProto.STRING),
            node("Cast", ["text"], ["b"], to=TensorProto.FLOAT),
            node("ReduceMax", ["b", "one"], ["o"], keepdims=0),
        ],
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
        with pytest.raises(UnsupportedError, match="STRING"):
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

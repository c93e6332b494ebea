"""Local functions: attributes with and without defaults, names, opsets, and how much calls may grow to."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from clconv.errors import GraphError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.graph.reference import run_reference
from tests.frontend.support import model, node, value

X = np.float32([[-1, 2, -3], [4, -5, 6]])
A = onnx.AttributeProto


def refers(proto: onnx.NodeProto, name: str, to: str, kind: int) -> onnx.NodeProto:
    """The node with an attribute that is what the caller gives."""
    proto.attribute.append(A(name=name, ref_attr_name=to, type=kind))
    return proto


def function(name, nodes, inputs=("a",), outputs=("b",), attributes=(), opset=17, **defaults):
    return helper.make_function(
        "my", name, inputs, outputs, nodes,
        [helper.make_opsetid("", opset), helper.make_opsetid("my", 1)], attributes,
        [helper.make_attribute(k, v) for k, v in defaults.items()],
    )  # fmt: skip


def call(name, inputs=("x",), outputs=("y",), **attrs):
    return node(name, list(inputs), list(outputs), domain="my", **attrs)


def calling(nodes, functions, constants=None, opset=17, shape=(2, 3)):
    domains = [helper.make_opsetid("my", 1)]
    return model(
        nodes,
        [value("x", *shape)],
        ["y"],
        constants,
        opset,
        domains=domains,
        functions=functions,
    )


def result(proto, x=X):
    return run_reference(import_onnx(proto.SerializeToString()), {"x": x})["y"]


def leak(slope, to="alpha"):
    inner = refers(node("LeakyRelu", ["a"], ["b"]), "alpha", to, A.FLOAT)
    given = {} if slope is None else {to: slope}
    return function("Leak", [inner], attributes=() if given else (to,), **given)


def leaky(slope, x=X):
    return np.where(x < 0, np.float32(slope) * x, x)


def test_a_default_is_what_a_call_leaves_out():
    np.testing.assert_allclose(result(calling([call("Leak")], [leak(0.25)])), leaky(0.25))


def test_a_callers_own_value_comes_before_the_default():
    proto = calling([call("Leak", alpha=0.5)], [leak(0.25)])
    np.testing.assert_allclose(result(proto), leaky(0.5))


def test_an_attribute_that_has_no_value_is_as_if_it_were_not_there():
    proto = calling([call("Leak")], [leak(None)])
    np.testing.assert_allclose(result(proto), leaky(0.01))  # LeakyRelu's own default


def outer(slope=None):
    """Calls Leak with its own attribute `slope`."""
    inner = refers(call("Leak", ["a"], ["b"]), "alpha", "slope", A.FLOAT)
    given = {} if slope is None else {"slope": slope}
    return function("Outer", [inner], attributes=() if given else ("slope",), **given)


@pytest.mark.parametrize(
    ("inner", "around", "given", "right"),
    [
        (0.25, None, None, 0.25),  # nothing to hand on: the inner function's default
        (0.25, 0.75, None, 0.75),
        (0.25, 0.75, 0.5, 0.5),
        (None, None, None, 0.01),
        (None, None, 0.5, 0.5),
    ],
)
def test_values_are_handed_on_from_call_to_call(inner, around, given, right):
    attrs = {} if given is None else {"slope": given}
    proto = calling([call("Outer", **attrs)], [leak(inner), outer(around)])
    np.testing.assert_allclose(result(proto), leaky(right))


def test_defaults_hold_in_calls_inside_functions():
    twice = function("Twice", [call("Leak", ["a"], ["t"]), call("Leak", ["t"], ["b"], alpha=0.5)])
    proto = calling([call("Twice")], [leak(0.25), twice])
    np.testing.assert_allclose(result(proto), leaky(0.125))


def test_defaults_of_every_type():
    whole = refers(node("Flatten", ["a"], ["b"]), "axis", "axis", A.INT)
    proto = calling([call("F")], [function("F", [whole], axis=0)])
    np.testing.assert_array_equal(result(proto), X.reshape(1, 6))

    several = refers(node("Transpose", ["a"], ["b"]), "perm", "order", A.INTS)
    proto = calling([call("F")], [function("F", [several], order=[0, 1])])
    np.testing.assert_array_equal(result(proto), X)

    text = refers(node("Einsum", ["a"], ["b"]), "equation", "what", A.STRING)
    proto = calling([call("F")], [function("F", [text], what="ij->j")])
    np.testing.assert_allclose(result(proto), X.sum(0))

    tensor = refers(node("Constant", [], ["c"]), "value", "shift", A.TENSOR)
    shift = numpy_helper.from_array(np.float32([10]))
    proto = calling(
        [call("F")], [function("F", [tensor, node("Add", ["a", "c"], ["b"])], shift=shift)]
    )
    np.testing.assert_allclose(result(proto), X + 10)

    floats = refers(node("Constant", [], ["c"]), "value_floats", "shift", A.FLOATS)
    add = node("Add", ["a", "c"], ["b"])
    proto = calling([call("F")], [function("F", [floats, add], shift=[1.0, 2.0, 3.0])])
    np.testing.assert_allclose(result(proto), X + np.float32([1, 2, 3]))


def branch(op):
    return helper.make_graph([node(op, ["x"], ["o"])], op, [], [helper.make_empty_tensor_value_info("o")])  # fmt: skip


def test_graphs_are_defaults_and_values_of_callers():
    """A graph that a caller gives sees the caller's values, one that is a default sees the function's."""
    inner = node("If", ["c"], ["b"], then_branch=branch("Neg"))
    inner.attribute[0].g.node[0].input[0] = "a"
    refers(inner, "else_branch", "other", A.GRAPH)
    own = branch("Abs")
    own.node[0].input[0] = "a"
    known = function("F", [inner], ["a", "c"], other=own)
    for flag, attrs, right in (
        (True, {}, -X),
        (False, {}, np.abs(X)),
        (False, {"other": branch("Relu")}, np.maximum(X, 0)),
    ):
        proto = calling([call("F", ["x", "k"], **attrs)], [known], {"k": np.array(flag)})
        np.testing.assert_allclose(result(proto), right)


def test_attributes_inside_a_functions_subgraphs_are_bound():
    inner = helper.make_graph(
        [refers(node("LeakyRelu", ["a"], ["o"]), "alpha", "alpha", A.FLOAT)],
        "g", [], [helper.make_empty_tensor_value_info("o")],
    )  # fmt: skip
    choose = node("If", ["c"], ["b"], then_branch=inner, else_branch=inner)
    known = function("F", [choose], ["a", "c"], alpha=0.25)
    calls = [
        call("F", ["x", "k"], ["t"]),
        call("F", ["t", "k"], ["y"], alpha=0.5),
    ]
    for constants in ({"k": np.array(True)}, {"k": np.array(False)}):
        np.testing.assert_allclose(result(calling(calls, [known], constants)), leaky(0.125))


def test_names_inside_a_function_are_its_own():
    body = [node("Neg", ["x"], ["y"]), node("Abs", ["y"], ["b"])]
    proto = calling(
        [node("Add", ["x", "x"], ["d"]), call("F", ["d"], ["t"]), node("Sub", ["t", "x"], ["y"])],
        [function("F", body, ["x"], ["b"])],
    )
    np.testing.assert_allclose(result(proto), np.abs(2 * X) - X)


def test_inputs_that_are_outputs_and_outputs_that_nobody_takes():
    known = function("F", [node("Neg", ["a"], ["n"])], ["a"], ["n", "a", "n"])
    proto = calling([call("F", ["x"], ["", "s", "t"]), node("Mul", ["s", "t"], ["y"])], [known])
    np.testing.assert_allclose(result(proto), -X * X)
    proto = calling([call("F")], [known])
    np.testing.assert_allclose(result(proto), -X)


def test_inputs_that_are_left_out_are_absent_inside():
    known = function("F", [node("Clip", ["a", "low", "high"], ["b"])], ["a", "low", "high"])
    proto = calling([call("F", ["x", "", "most"])], [known], {"most": np.float32(1)})
    np.testing.assert_allclose(result(proto), np.minimum(X, 1))
    proto = calling([call("F", ["x", "least"])], [known], {"least": np.float32(1)})
    np.testing.assert_allclose(result(proto), np.maximum(X, 1))


def test_a_function_of_another_opset_keeps_its_operators_forms():
    squeeze = node("Squeeze", ["s"], ["b"], axes=[0])  # an input from opset 13 on
    raise_ = node("Unsqueeze", ["a"], ["s"], axes=[0])
    inner = function("Inner", [raise_, squeeze], opset=11)
    around = function("Outer", [call("Inner", ["a"], ["t"]), node("Neg", ["t"], ["b"])], opset=15)
    proto = calling([call("Outer")], [inner, around], opset=21)
    np.testing.assert_allclose(result(proto), -X)


def test_overloads_are_told_apart():
    neg, double = (
        function("F", [node("Neg", ["a"], ["b"])]),
        function("F", [node("Add", ["a", "a"], ["b"])]),
    )
    double.overload = "double"
    first, second = call("F", ["x"], ["t"]), call("F", ["t"], ["y"])
    second.overload = "double"
    np.testing.assert_allclose(result(calling([first, second], [neg, double])), -2 * X)


@pytest.mark.parametrize(
    ("nodes", "functions", "wanted"),
    [
        ([call("F", ["x", "x"])], [leak(1.0)], "does not support"),
        ([call("Leak", ["x", "x"])], [leak(1.0)], "2 inputs and 1 outputs, its function takes 1"),
        ([call("F")], [function("F", [node("Add", ["a", "x"], ["b"])])], "uses 'x', which nothing"),
        ([call("Leak")], [leak(1.0), leak(2.0)], "defined twice"),
    ],
)
def test_broken_calls_and_functions_are_named(nodes, functions, wanted):
    with pytest.raises((GraphError, UnsupportedError), match=wanted):
        result(calling(nodes, functions))


def doubling(depth, *leaf):
    """F0 is the leaf; each of the others calls the one before it twice."""
    functions = [function("F0", list(leaf))]
    for i in range(1, depth):
        calls = [call(f"F{i - 1}", ["a"], ["t"]), call(f"F{i - 1}", ["t"], ["b"])]
        functions.append(function(f"F{i}", calls))
    return functions


def test_calls_that_double_have_a_budget():
    leaf = node("Neg", ["a"], ["b"])
    graph = import_onnx(calling([call("F7")], doubling(8, leaf)).SerializeToString())
    assert len(graph.nodes) == 128
    for depth in (24, 300):
        proto = calling([call(f"F{depth - 1}")], doubling(depth, leaf))
        with pytest.raises(
            UnsupportedError, match=r"function my\.F\d+ makes more than 32,768 nodes"
        ):
            import_onnx(proto.SerializeToString())


def test_bytes_and_graphs_of_calls_are_in_the_budget():
    """A constant of 1 MB in a function that is called 512 times; a graph that each call hands on twice."""
    big = numpy_helper.from_array(np.zeros(1 << 18, np.float32))
    leaf = [node("Constant", [], ["c"], value=big), node("Identity", ["a"], ["b"])]
    with pytest.raises(UnsupportedError, match="bytes"):
        import_onnx(calling([call("F9")], doubling(10, *leaf)).SerializeToString())

    def hands_on(i):
        inner = node("If", ["c"], ["b"])
        for name in ("then_branch", "else_branch"):
            refers(inner, name, "body", A.GRAPH)
        if i == 0:
            return function("G0", [inner], ["a", "c"], attributes=["body"])
        made = helper.make_graph(
            [refers(call(f"G{i - 1}", ["a", "c"], ["o"]), "body", "body", A.GRAPH)] * 1,
            "g", [], [helper.make_empty_tensor_value_info("o")],
        )  # fmt: skip
        for attribute in inner.attribute:
            attribute.CopyFrom(helper.make_attribute(attribute.name, made))
        return function(f"G{i}", [inner], ["a", "c"], attributes=["body"])

    proto = model(
        [call("G23", ["x", "flag"], body=branch("Neg"))],
        [value("x", 2, 3), value("flag", dtype=TensorProto.BOOL)],
        ["y"],
        opset=17,
        domains=[helper.make_opsetid("my", 1)],
        functions=[hands_on(i) for i in range(24)],
    )
    with pytest.raises(UnsupportedError, match="makes more than 32,768 nodes"):
        import_onnx(proto.SerializeToString())


def test_long_chains_of_calls():
    functions = [function("F0", [node("Neg", ["a"], ["b"])])]
    functions += [function(f"F{i}", [call(f"F{i - 1}", ["a"], ["b"])]) for i in range(1, 1500)]
    np.testing.assert_allclose(result(calling([call("F1499")], functions)), -X)

"""Small models with control flow, sequences and functions."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.fuzz.small_model import BOOL, I64, BuiltModel, F, info, node, random_array, small_model


def branches() -> BuiltModel:
    """An If whose condition is known at run time only, which captures values of the graph around it."""
    then = helper.make_graph([node("Mul", ["x", "w"], ["t"])], "then", [], [info("t", F, None)])
    other = helper.make_graph(
        [node("Neg", ["x"], ["m"]), node("Add", ["m", "k"], ["e"])], "else", [], [info("e", F, None)],
        [numpy_helper.from_array(random_array(4), "k")],
    )  # fmt: skip
    nodes = [
        node("ReduceSum", ["x"], ["sum"], keepdims=0),
        node("Greater", ["sum", "zero"], ["cond"]),
        node("If", ["cond"], ["i"], then_branch=then, else_branch=other),
        node("Relu", ["i"], ["y"]),
    ]
    constants = {"w": random_array(3, 4), "zero": np.float32(0)}
    return small_model(nodes, {"x": (3, 4)}, constants), {"x": random_array(3, 4)}


def _body() -> onnx.GraphProto:
    return helper.make_graph(
        [
            node("Identity", ["c"], ["d"]),
            node("Mul", ["a", "w"], ["b"]),
            node("Add", ["b", "x"], ["e"]),
            node("ReduceMax", ["e"], ["f"], keepdims=0),
        ],
        "body",
        [info("i", I64, []), info("c", BOOL, []), info("a", F, None)],
        [info("d", BOOL, []), info("e", F, None), info("f", F, [])],
    )


def loop() -> BuiltModel:
    """A Loop of known length, with a carried value and a scan output."""
    nodes = [node("Loop", ["n", "", "x"], ["y", "z"], body=_body())]
    constants = {"n": np.array(3), "w": random_array(3, 4)}
    return small_model(nodes, {"x": (3, 4)}, constants, ("y", "z")), {"x": random_array(3, 4)}


def open_loop() -> BuiltModel:
    """A Loop whose length data decides."""
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Mul", ["m", "four"], ["m4"]),
        node("Cast", ["m4"], ["n"], to=I64),
        node("Loop", ["n", "", "x"], ["y", "z"], body=_body()),
    ]
    constants = {"w": random_array(3, 4), "four": np.float32(4)}
    return small_model(nodes, {"x": (3, 4)}, constants, ("y", "z")), {"x": random_array(3, 4)}


def scan() -> BuiltModel:
    body = helper.make_graph(
        [node("Add", ["s", "p"], ["t"]), node("Tanh", ["t"], ["o"])],
        "body",
        [info("s", F, [4]), info("p", F, [4])],
        [info("t", F, [4]), info("o", F, [4])],
    )
    nodes = [node("Scan", ["x0", "x"], ["last", "y"], body=body, num_scan_inputs=1)]
    constants = {"x0": random_array(4)}
    return small_model(nodes, {"x": (5, 4)}, constants, ("last", "y")), {"x": random_array(5, 4)}


def sequences() -> BuiltModel:
    nodes = [
        node("SplitToSequence", ["x", "parts"], ["s"], axis=1),
        node("SequenceInsert", ["s", "x", "at"], ["t"]),
        node("SequenceErase", ["t", "at"], ["u"]),
        node("SequenceAt", ["u", "at"], ["a"]),
        node("SequenceLength", ["u"], ["length"]),
        node("ConcatFromSequence", ["u"], ["c"], axis=1),
        node("ReduceMean", ["a"], ["m"], keepdims=1),
        node("Add", ["c", "m"], ["y"]),
    ]
    constants = {"parts": np.array([1, 2, 1]), "at": np.array(1)}
    model = small_model(nodes, {"x": (2, 4, 3)}, constants, ("y", "length"))
    return model, {"x": random_array(2, 4, 3)}


def function() -> BuiltModel:
    """A local function with an attribute, called twice, once from inside another."""
    inner = node("LeakyRelu", ["a"], ["b"])
    attribute = inner.attribute.add(name="alpha", type=onnx.AttributeProto.FLOAT)
    attribute.ref_attr_name = "alpha"
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    act = helper.make_function("local", "Act", ["a"], ["b"], [inner], opsets, ["alpha"])
    calls = [node("Act", ["p"], ["q"], domain="local", alpha=0.5), node("Exp", ["q"], ["r"])]
    twice = helper.make_function("local", "Twice", ["p"], ["r"], calls, opsets)
    nodes = [
        node("Twice", ["x"], ["t"], domain="local"),
        node("Act", ["t"], ["y"], domain="local", alpha=0.1),
    ]
    model = small_model(
        nodes, {"x": (2, 5)}, {}, domains=[helper.make_opsetid("local", 1)], functions=[act, twice]
    )
    return model, {"x": random_array(2, 5)}

"""If, Loop and Scan survive export: onnxruntime computes the same from the file that clconv writes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from clconv.errors import UnsupportedError
from clconv.frontend.onnx import export_onnx, import_onnx

F, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
node = helper.make_node


def value(name: str, kind: int = F, shape: tuple[int | str, ...] | None = ("n",)):  # type: ignore[no-untyped-def]
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, outputs, constants) -> bytes:  # type: ignore[no-untyped-def]
    tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    graph = helper.make_graph(nodes, "g", [value("x")], outputs, tensors)
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def survives(data: bytes) -> onnx.ModelProto:
    """The exported model, after checking that it computes what the given one does."""
    exported = export_onnx(import_onnx(data))
    proto = onnx.load_from_string(exported)
    onnx.checker.check_model(proto)
    sessions = [
        onnxruntime.InferenceSession(d, providers=["CPUExecutionProvider"])
        for d in (data, exported)
    ]
    for size, sign in ((3, 1), (4, -1)):
        x = np.random.default_rng(size).uniform(0.1, 1, size).astype(np.float32) * sign
        wanted, found = (s.run(None, {"x": x}) for s in sessions)
        for a, b in zip(wanted, found, strict=True):
            np.testing.assert_allclose(b, a, 1e-6)
    return proto


def test_a_loop_with_a_branch_inside() -> None:
    """The condition, the branches and the scan output all use values from outside, by two levels."""
    positive = helper.make_graph([node("Mul", ["v_in", "half"], ["t"])], "then", [], [value("t")])
    negative = helper.make_graph([node("Add", ["v_in", "x"], ["e"])], "else", [], [value("e")])
    body = helper.make_graph(
        [
            node("ReduceSum", ["v_in"], ["sum"], keepdims=0),
            node("Greater", ["sum", "zero"], ["positive"]),
            node("If", ["positive"], ["v_out"], then_branch=positive, else_branch=negative),
            node("ReduceSum", ["v_out"], ["total"], keepdims=0),
            node("Greater", ["total", "little"], ["again"]),
        ],
        "body",
        [value("i", I64, ()), value("going", BOOL, ()), value("v_in")],
        [value("again", BOOL, ()), value("v_out"), value("v_in")],
        [numpy_helper.from_array(np.float32(0.5), "half")],
    )
    constants = {"zero": np.float32(0), "little": np.float32(0.2), "most": np.int64(5)}
    nodes = [
        node("Identity", ["x"], ["v"]),
        node("Loop", ["most", "", "v"], ["y", "all"], "the_loop", body=body),
    ]
    proto = survives(model(nodes, [value("y"), value("all", F, ("t", "n"))], constants))
    assert [n.op_type for n in proto.graph.node].count("Loop") == 1


def test_a_scan() -> None:
    body = helper.make_graph(
        [node("Add", ["h_in", "part"], ["h"]), node("Tanh", ["h"], ["h_out"])],
        "body",
        [value("h_in", F, ()), value("part", F, ())],
        [value("h_out", F, ()), value("h_out", F, ())],
    )
    again = body.output[1]
    again.name = "shown"
    body.node.append(node("Identity", ["h_out"], ["shown"]))
    scan = node(
        "Scan", ["h0", "x"], ["last", "all"], "the_scan", body=body, num_scan_inputs=1,
        scan_input_directions=[1], scan_output_directions=[1],
    )  # fmt: skip
    outputs = [value("last", F, ()), value("all")]
    survives(model([scan], outputs, {"h0": np.float32(0.25)}))


def test_a_branch_that_hands_a_value_on() -> None:
    same = helper.make_graph([node("Identity", ["x"], ["s"])], "then", [], [value("s")])
    other = helper.make_graph([node("Neg", ["x"], ["o"])], "else", [], [value("o")])
    nodes = [
        node("ReduceSum", ["x"], ["sum"], keepdims=0),
        node("Greater", ["sum", "zero"], ["positive"]),
        node("If", ["positive"], ["y"], then_branch=same, else_branch=other),
    ]
    survives(model(nodes, [value("y")], {"zero": np.float32(0)}))


def test_an_operator_that_onnx_does_not_have_is_named_wherever_it_is() -> None:
    """Random numbers take their shape as an input here, which ONNX's operator does not."""
    noise = helper.make_graph([node("RandomNormalLike", ["x"], ["r"])], "then", [], [value("r")])
    other = helper.make_graph([node("Neg", ["x"], ["o"])], "else", [], [value("o")])
    nodes = [
        node("ReduceSum", ["x"], ["sum"], keepdims=0),
        node("Greater", ["sum", "zero"], ["positive"]),
        node("If", ["positive"], ["y"], then_branch=noise, else_branch=other),
    ]
    graph = import_onnx(model(nodes, [value("y")], {"zero": np.float32(0)}))
    with pytest.raises(UnsupportedError, match="RandomNormal"):
        export_onnx(graph)

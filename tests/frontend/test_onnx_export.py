"""What passes make of a graph, written as plain ONNX: checked by onnx, run by onnxruntime."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest

from clconv.cases import CASES
from clconv.errors import GraphError, ModelError, UnsupportedError
from clconv.frontend.onnx import export_onnx, import_onnx
from clconv.graph.ir import RUNNING, Attributes, Constant, EpilogueStep, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from tests.frontend.support import close, random, run_onnxruntime
from tests.peers import newer_onnxruntime

CONV = {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 2, 0, 1)}


def graph_of(*nodes: Node, constants=None, outputs=("y",), **specs) -> Graph:
    known = {n: TensorSpec(s) for n, s in specs.items()}
    inputs = [n for n in known if n not in outputs]
    held = {n: Constant(a) for n, a in (constants or {}).items()}
    return Graph("g", nodes, tuple(inputs), outputs, known, held)


def exported(graph: Graph, feeds) -> onnx.ModelProto:
    """The written model, after it gave the reference's answer in onnxruntime and after a new import."""
    data = export_onnx(graph)
    onnx.checker.check_model(data, full_check=True)
    wanted = run_reference(graph, feeds)
    for name, found in zip(graph.outputs, run_onnxruntime(data, feeds), strict=True):
        close(found, wanted[name])
    again = run_reference(import_onnx(data), feeds)
    for name in graph.outputs:
        close(again[name], wanted[name])
    return onnx.load_from_string(data)


def test_epilogue_steps_become_nodes():
    node = dataclasses.replace(
        make_node("Conv", ("x", "w", "b", "r", "hi"), ("y",), "conv", **CONV),
        epilogue=(
            EpilogueStep("Add", operands=(RUNNING, 3)),
            EpilogueStep("LeakyRelu", Attributes(alpha=0.25)),
            EpilogueStep("Min", operands=(RUNNING, 4)),
        ),
        op_arity=3,
    )
    constants = {"w": random(4, 2, 3, 3), "b": random(4, seed=1), "hi": np.float32(0.5)}
    graph = graph_of(node, constants=constants, x=(1, 2, 5, 6), r=(1, 4, 4, 7), y=(1, 4, 4, 7))
    proto = exported(graph, {"x": random(1, 2, 5, 6), "r": random(1, 4, 4, 7, seed=3)})
    assert [n.op_type for n in proto.graph.node] == ["Conv", "Add", "LeakyRelu", "Min"]


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("op", ["Conv", "MaxPool", "AveragePool"])
def test_padding_modes_become_pad_nodes(op, mode):
    attrs = {**CONV, "pad_mode": mode}
    if op == "Conv":
        node = make_node("Conv", ("x", "w"), ("y",), "layer", **attrs)
    else:
        node = make_node(op, ("x",), ("y",), "layer", kernel_shape=(3, 3), **attrs)
    constants = {"w": random(2, 2, 3, 3)} if op == "Conv" else {}
    graph = graph_of(node, constants=constants, x=(1, 2, 5, 6), y=(1, 2, 4, 7))
    proto = exported(graph, {"x": random(1, 2, 5, 6)})
    assert [n.op_type for n in proto.graph.node] == ["Pad", op]


def test_padding_that_onnx_cannot_say():
    same = {**CONV, "pad_mode": "edge", "auto_pad": "SAME_UPPER"}
    node = make_node("Conv", ("x", "w"), ("y",), "layer", **same)
    constants = {"w": random(2, 2, 3, 3)}
    with pytest.raises(UnsupportedError, match=r"'layer'.*specialise"):
        export_onnx(graph_of(node, constants=constants, x=(1, 2, 5, 6), y=(1, 2, 5, 6)))
    node = make_node(
        "MaxPool", ("x",), ("y", "i"), "pool", kernel_shape=(3, 3), **CONV, pad_mode="edge"
    )
    with pytest.raises(UnsupportedError, match=r"'pool'.*indices"):
        export_onnx(graph_of(node, x=(1, 2, 5, 6), y=(1, 2, 4, 7)))


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_windows_of_ceil_mode_stay_as_many_as_they_were(size):
    attrs = {**CONV, "strides": (2, 3), "pads": (1, 0, 2, 2), "ceil_mode": 1, "pad_mode": "wrap"}
    node = make_node("MaxPool", ("x",), ("y",), "pool", kernel_shape=(3, 3), **attrs)
    graph = graph_of(node, x=(1, 2, size, size))
    exported(graph, {"x": random(1, 2, size, size)})
    with pytest.raises(UnsupportedError, match=r"'pool'.*depends on the size"):
        export_onnx(graph_of(node, x=(1, 2, "h", "w"), y=(1, 2, "a", "b")))


@newer_onnxruntime("reads no files of opset 24")
def test_newer_operators_raise_the_opset():
    x = {"x": random(2, 3)}
    plain = exported(graph_of(make_node("Relu", ("x",), ("y",)), x=(2, 3), y=(2, 3)), x)
    assert plain.opset_import[0].version == 21
    swish = exported(graph_of(make_node("Swish", ("x",), ("y",)), x=(2, 3), y=(2, 3)), x)
    assert swish.opset_import[0].version == 24


def test_path_and_metadata_and_errors(tmp_path):
    metadata = {
        "custom": {"labels": "a,b"},
        "domain": "org.example",
        "version": 3,
        "description": "d",
    }
    graph = graph_of(make_node("Relu", ("x",), ("y",)), x=("n", 3), y=("n", 3))
    graph = graph.replace(metadata=metadata)
    data = export_onnx(graph, tmp_path / "out.onnx")
    assert (tmp_path / "out.onnx").read_bytes() == data
    again = import_onnx(tmp_path / "out.onnx")
    assert {k: again.metadata[k] for k in metadata} == metadata
    assert again.specs["x"].shape == ("n", 3)
    with pytest.raises(ModelError, match="cannot be written"):
        export_onnx(graph, tmp_path / "no" / "such" / "folder.onnx")


def test_what_cannot_be_declared_says_the_cure():
    # The rank of y is that of a value known only at run time.
    nodes = (make_node("Reshape", ("x", "s"), ("y",), "reshape"),)
    specs = {"x": TensorSpec(("n",)), "s": TensorSpec((None,))}
    graph = Graph("g", nodes, ("x", "s"), ("y",), specs)
    with pytest.raises(GraphError, match="specialise"):
        export_onnx(graph)


def test_internal_operators_are_refused():
    node = Node("Secret", "mine", ("x",), ("y",))
    with pytest.raises(UnsupportedError, match=r"'mine': Secret"):
        export_onnx(graph_of(node, x=(2,), y=(2,)))


def _as_float32(attrs: Attributes) -> dict[str, object]:
    """ONNX keeps floats in 32 bits."""

    def narrow(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(map(narrow, value))
        return np.float32(value) if isinstance(value, float) else value

    return {k: narrow(v) for k, v in attrs.items()}


def _can_be_said(case):
    """Whether ONNX has the operator and all that it gives. It has no gradients, none of what a training batch norm
    keeps for one, and of what a Dropout drops by clconv's own generator it says seed 0 only."""
    if not (onnx.defs.has(case.op) or case.op == "FakeQuantize"):
        return False
    if case.op == "BatchNormalization":
        return case.outputs <= 3
    own = case.op == "Dropout" and case.attrs.get("generator") != "numpy"
    return not own or (len(case.inputs) < 4 and not case.attrs.get("seed"))


def test_seed_and_step_of_a_dropout_cannot_be_said():
    (case,) = (c for c in CASES if c.name == "Dropout-training,_step")
    with pytest.raises(UnsupportedError, match="no form of it with 4 inputs"):
        export_onnx(case.build()[0])


# Operators that onnxruntime has no CPU kernel for, or where it and ONNX differ, are compared through a
# second import only.
@pytest.mark.parametrize("case", list(filter(_can_be_said, CASES)), ids=lambda case: case.name)
def test_every_case_survives_a_round_trip(case):
    graph, feeds = case.build()
    data = export_onnx(graph)
    onnx.checker.check_model(data)
    again = import_onnx(data)
    before, after = run_reference(graph, feeds), run_reference(again, feeds)
    for name in graph.outputs:
        close(after[name], before[name])
    if case.op not in ("Conv", "MaxPool", "AveragePool", "LpPool", "FakeQuantize"):
        (one,) = (n for n in again.nodes if n.op == case.op)
        assert _as_float32(one.attrs) == _as_float32(graph.nodes[0].attrs)

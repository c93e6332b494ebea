"""Models that onnx's native code would not survive: unknown types, axes and bodies that do not fit. A fault here ends
the process."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from clconv.errors import ModelError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from clconv.frontend.onnx.declarations import Declarations
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from tests.frontend.support import model, node, untyped, value

CUSTOM = [helper.make_opsetid("com.acme", 1)]


def body(inputs=1, outputs=1, op="Relu"):
    return helper.make_graph(
        [node(op, [f"i{0}"], [f"o{i}"]) for i in range(outputs)],
        "b",
        [value(f"i{i}", 2) for i in range(inputs)],
        [value(f"o{i}", 2) for i in range(outputs)],
    )


def unknown(*nodes, outputs=("y",), inputs=("x",)):
    """A model in which `s` comes from an operator that nobody knows."""
    return model(
        [node("Foo", ["x"], ["s"], domain="com.acme"), *nodes],
        [value(n, 2) for n in inputs],
        outputs,
        {"k": np.array(0)},
        domains=CUSTOM,
    )


@pytest.mark.parametrize("op", ["SequenceMap"])
@pytest.mark.parametrize("inputs", [["s"], ["x"], ["s", "x"], ["q", "s"], ["q", "x", "s"]])
@pytest.mark.parametrize("taken", [0, 1, 2, 3, 5])
def test_sequence_maps_whose_inputs_have_no_known_type(op, inputs, taken):
    proto = unknown(
        node("SequenceConstruct", ["x"], ["q"]),
        node(op, inputs, ["t"], body=body(taken)),
        node("SequenceAt", ["t", "k"], ["y"]),
    )
    with pytest.raises(ModelError, match=r"com\.acme\.Foo|uses 'i0', which nothing defines"):
        import_onnx(proto.SerializeToString())


@pytest.mark.parametrize("taken", [0, 2, 5])
@pytest.mark.parametrize("made", [0, 1, 2])
def test_sequence_maps_whose_body_does_not_fit(taken, made):
    proto = model(
        [
            node("SequenceConstruct", ["x"], ["q"]),
            node("SequenceMap", ["q"], ["t"], body=body(taken, made)),
            node("SequenceAt", ["t", "k"], ["y"]),
        ],
        [value("x", 2)],
        ["y"],
        {"k": np.array(0)},
    )
    with pytest.raises(ModelError, match="SequenceMap"):
        import_onnx(proto.SerializeToString())


def test_sequence_maps_are_written_out_where_all_is_known():
    inner = body(2, op="Neg")
    inner.node[0].op_type = "Add"
    inner.node[0].input[:] = ["i0", "i1"]
    inner.node[0].output[:] = ["t"]
    inner.node.append(node("Mul", ["t", "x"], ["o0"]))  # x: of the graph around it
    proto = model(
        [
            node("SequenceConstruct", ["x", "x"], ["q"]),
            node("SequenceMap", ["q", "x"], ["t"], body=inner),
            node("SequenceAt", ["t", "k"], ["y"]),
        ],
        [value("x", 2)],
        ["y"],
        {"k": np.array(1)},
    )
    graph = import_onnx(proto.SerializeToString())
    x = np.float32([1, 2])
    done = specialise(graph, graph.specs)
    np.testing.assert_allclose(run_reference(done.graph, {"x": x})["y"], (x + x) * x)


@pytest.mark.parametrize("opset", [9, 13, 21])
def test_inference_with_values_of_unknown_type(opset):
    """Operators whose rules read the type of an input at once."""
    nodes = [node("Foo", ["x"], ["s"], domain="com.acme")]
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain or schema.since_version > opset:
            continue
        count = max(schema.min_input, 1)
        outputs = [
            f"{schema.name}{schema.since_version}_{i}" for i in range(schema.min_output or 1)
        ]
        required = {
            n: helper.make_attribute(n, 1)
            for n, a in schema.attributes.items()
            if a.required and int(a.type.value) == onnx.AttributeProto.INT
        }
        made = node(schema.name, ["s"] * count, outputs)
        made.attribute.extend(required.values())
        nodes.append(made)
    proto = model(nodes, [value("x", 2)], ["s"], opset=opset, domains=CUSTOM)
    assert Declarations(proto).shape("x") == (2,)
    assert Declarations(proto).shape("s") is None


@pytest.mark.parametrize("axis", [2**31, 2**63 - 1, -(2**63), -9, 9])
def test_inference_with_axes_that_are_none(axis):
    nodes = [node("LayerNormalization", ["x", "x"], ["y", "m", "d"], axis=axis)]
    proto = model(nodes, [value("x", "n", 3)], [untyped(n) for n in "ymd"])
    Declarations(proto).shape("m")
    with pytest.raises(ModelError):
        graph = import_onnx(proto.SerializeToString())
        specialise(graph, {"x": graph.specs["x"].__class__((2, 3))})


def test_inference_in_graphs_that_are_attributes():
    branch = helper.make_graph(
        [node("EyeLike", ["s"], ["e"]), node("Relu", ["e"], ["o"])], "g", [], [untyped("o")]
    )
    proto = unknown(
        node("If", ["c"], ["y"], then_branch=branch, else_branch=branch), inputs=("x", "c")
    )
    proto.graph.input[1].type.tensor_type.elem_type = TensorProto.BOOL
    assert Declarations(proto).shape("y") is None
    with pytest.raises(UnsupportedError, match=r"com\.acme\.Foo"):
        import_onnx(proto.SerializeToString())


@pytest.mark.parametrize("shape", [(2**62,), (2**40,), (2**31, 2**31)])
def test_inference_of_vectors_that_no_memory_holds(shape):
    """onnx makes a symbol for every element of a vector whose values it follows."""
    nodes = [node("Reshape", ["x", "all"], ["f"]), node("Cast", ["f"], ["c"], to=7)]
    nodes += [node("Cast", ["x"], ["d"], to=7), node("Add", ["c", "c"], ["y"])]
    inputs = [value("x", *shape, dtype=TensorProto.INT32)]
    proto = model(nodes, inputs, ["y", "d"], {"all": np.int64([-1])})
    assert Declarations(proto).rank("d") == len(shape)
    assert Declarations(proto).rank("y") == 1

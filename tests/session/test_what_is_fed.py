"""Inputs as models really declare them: initialisers that runs replace, one name for two sizes, no shape at all."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from clconv.api import load
from clconv.errors import ClconvWarning, InputError, ModelError
from clconv.frontend.onnx import import_onnx
from tests.frontend.support import model, node, random, value

X = random(2, 3)
W = random(2, 3, seed=1)


def with_default(*nodes, ir_version=8, w=W):
    return model(
        [*nodes],
        [value("x", 2, 3), value("w", *w.shape)],
        ["y"],
        {"w": w},
        opset=17,
        ir_version=ir_version,
    )


def branches_of(inputs, *ops):
    """For an If: a graph for each operator of these values, which are of the graph around it."""
    return [
        helper.make_graph([node(op, inputs, [f"o{op}"])], op, [], [helper.make_empty_tensor_value_info(f"o{op}")])
        for op in ops
    ]  # fmt: skip


def both(proto, device, *runs):
    data = proto.SerializeToString()
    session, known = load(data, device), onnxruntime.InferenceSession(data)
    for feeds in runs:
        np.testing.assert_allclose(session.run(feeds)["y"], known.run(None, feeds)[0], rtol=1e-6)
    return session


def test_an_initialiser_that_is_an_input_takes_what_is_fed(device):
    proto = with_default(
        node("Mul", ["x", "w"], ["t"]),
        node("Identity", ["w"], ["v"]),
        node("Add", ["t", "v"], ["y"]),
    )
    session = both(proto, device, {"x": X}, {"x": X, "w": 3 * W}, {"x": X}, {"x": X, "w": X})
    assert list(session.inputs) == ["x"]
    with pytest.raises(InputError, match="'w'"):
        session.run({"x": X, "w": W[:1]})


def test_an_initialiser_is_a_constant_before_ir_version_4(device):
    session = load(
        with_default(node("Mul", ["x", "w"], ["y"]), ir_version=3).SerializeToString(), device
    )
    with pytest.raises(InputError, match="unknown"):
        session.run({"x": X, "w": W})


def test_an_initialiser_that_decided_something_at_load_is_no_input(device):
    branches = branches_of(["x"], "Neg", "Abs")
    proto = model(
        [node("If", ["flag"], ["y"], then_branch=branches[0], else_branch=branches[1])],
        [value("x", 2, 3), value("flag", dtype=TensorProto.BOOL)],
        ["y"],
        {"flag": np.array(True)},
    )
    session = load(proto.SerializeToString(), device)
    np.testing.assert_array_equal(session.run({"x": X})["y"], -X)
    with pytest.raises(InputError, match="flag"):
        session.run({"x": X, "flag": np.array(False)})


def test_an_initialiser_of_what_a_run_decides_takes_what_is_fed(device):
    """It is looked through for a condition that is known at load, and this one is not."""
    branches = branches_of(["t"], "Neg", "Relu")
    proto = with_default(
        node("Mul", ["x", "w"], ["t"]),
        node("ReduceMax", ["t"], ["most"], keepdims=0),
        node("Cast", ["most"], ["flag"], to=TensorProto.BOOL),
        node("If", ["flag"], ["y"], then_branch=branches[0], else_branch=branches[1]),
    )
    both(proto, device, {"x": X}, {"x": X, "w": 3 * W}, {"x": X, "w": 0 * W})


def test_an_initialiser_that_a_subgraph_uses_is_no_input(device):
    """The subgraph has its value since load: a run would take another one outside only."""
    branches = branches_of(["x", "w"], "Add", "Sub")
    proto = model(
        [
            node("If", ["flag"], ["i"], then_branch=branches[0], else_branch=branches[1]),
            node("Mul", ["i", "w"], ["y"]),
        ],
        [value("x", 2, 3), value("flag", dtype=TensorProto.BOOL), value("w", 2, 3)],
        ["y"],
        {"w": W},
        ir_version=8,
    )
    session = both(proto, device, *({"x": X, "flag": np.array(flag)} for flag in (True, False)))
    with pytest.raises(InputError, match="'w'"):
        session.run({"x": X, "flag": np.array(True), "w": 3 * W})


def test_one_name_for_two_sizes_takes_what_is_fed(device):
    proto = model([node("Neg", ["x"], ["y"])], [value("x", 1, 3, "N", "N")], ["y"])
    session = load(proto.SerializeToString(), device)
    for shape in ((1, 3, 4, 4), (1, 3, 4, 6), (1, 3, 6, 4)):
        x = random(*shape)
        if shape[2] == shape[3]:
            np.testing.assert_array_equal(session.run({"x": x})["y"], -x)
            continue
        with pytest.warns(ClconvWarning, match="one name for two sizes"):
            np.testing.assert_array_equal(session.run({"x": x})["y"], -x)
    with pytest.raises(InputError, match="takes float32"):
        session.run({"x": random(1, 4, 4, 4)})


def test_one_name_in_two_inputs(device):
    inputs = [value("x", "n", 3), value("z", "n", 3)]
    proto = model([node("Concat", ["x", "z"], ["y"], axis=0)], inputs, ["y"])
    session = load(proto.SerializeToString(), device)
    with pytest.warns(ClconvWarning, match="one name for two sizes"):
        found = session.run({"x": X, "z": X[:1]})["y"]
    np.testing.assert_array_equal(found, np.concatenate([X, X[:1]]))


def test_an_input_without_a_shape_takes_any(device):
    unranked = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    proto = model(
        [node("Mul", ["x", "w"], ["y"])], [unranked], ["y"], {"w": np.float32([2])}, opset=17
    )
    session = both(
        proto, device, *({"x": random(*s)} for s in ((3,), (2, 3), (1, 2, 3, 4), (2, 3)))
    )
    assert "float32[...]" in str(session.inputs["x"])
    with pytest.raises(InputError, match="float32"):
        session.run({"x": np.zeros(3, np.int64)})


def sparse(name, values, indices, dims):
    return helper.make_sparse_tensor(
        numpy_helper.from_array(np.float32(values), name),
        numpy_helper.from_array(np.int64(indices), f"{name}/indices"),
        dims,
    )


@pytest.mark.parametrize(
    ("values", "indices", "right"),
    [
        ([1, 2], [1, 5], [[0, 1, 0], [0, 0, 2]]),
        ([1, 2], [[0, 1], [1, 2]], [[0, 1, 0], [0, 0, 2]]),
        ([], [], [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_sparse_initialisers(device, values, indices, right):
    proto = model([node("Add", ["x", "s"], ["y"])], [value("x", 2, 3)], ["y"], opset=17)
    proto.graph.sparse_initializer.append(sparse("s", values, indices, [2, 3]))
    session = load(proto.SerializeToString(), device)
    np.testing.assert_allclose(session.run({"x": X})["y"], X + np.float32(right))
    proto = model(
        [
            node("Constant", [], ["s"], sparse_value=sparse("", values, indices, [2, 3])),
            node("Add", ["x", "s"], ["y"]),
        ],
        [value("x", 2, 3)],
        ["y"],
        opset=17,
    )
    session = load(proto.SerializeToString(), device)
    np.testing.assert_allclose(session.run({"x": X})["y"], X + np.float32(right))


@pytest.mark.parametrize(
    ("values", "indices", "dims", "wanted"),
    [
        ([1], [6], [2, 3], "outside"),
        ([1], [-1], [2, 3], "outside"),
        ([1], [[0, 3]], [2, 3], "outside"),
        ([1, 2], [0], [2, 3], "do not fit"),
        ([1], [[0, 0, 0]], [2, 3], "do not fit"),
        ([1], [0], [2**40, 2**10], "written out"),
        ([1], [0], [2, -3], "negative"),
    ],
)
def test_sparse_initialisers_that_do_not_fit(values, indices, dims, wanted):
    proto = model([node("Add", ["x", "s"], ["y"])], [value("x", 2, 3)], ["y"])
    proto.graph.sparse_initializer.append(sparse("s", values, indices, dims))
    with pytest.raises(ModelError, match=wanted):
        import_onnx(proto.SerializeToString())

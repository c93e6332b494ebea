"""Attributes and constants in each form that opsets gave them, and forms that are refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from clconv.errors import GraphError, ModelError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from tests.frontend.support import (
    agree,
    close,
    model,
    node,
    one,
    random,
    run_graph,
    value,
)


def run(proto, x):
    return run_graph(import_onnx(proto.SerializeToString()), {"x": x})


def test_constants_in_every_form():
    values = {
        "value": numpy_helper.from_array(np.float32([1, 2]), "t"),
        "value_float": 2.5,
        "value_floats": [1.0, 2.0],
    }
    for form, given in values.items():
        proto = model(
            [node("Constant", [], ["c"], **{form: given}), node("Add", ["x", "c"], ["y"])],
            [value("x", 2)],
            opset=13,
        )
        agree(proto, {"x": np.float32([10, 20])})
    proto = model(
        [
            node("Constant", [], ["axes"], value_ints=[0]),
            node("Constant", [], ["axis"], value_int=1),
            node("Unsqueeze", ["x", "axes"], ["u"]),
            node("Unsqueeze", ["u", "axis"], ["y"]),
        ],
        [value("x", 2)],
        opset=13,
    )
    assert run(proto, np.float32([10, 20]))[0].shape == (1, 1, 2)


def test_constant_text_is_refused():
    proto = model([node("Constant", [], ["y"], value_string="hello")], opset=13)
    with pytest.raises(UnsupportedError, match="value_string"):
        import_onnx(proto.SerializeToString())


def test_constant_of_shape_keeps_dtype_and_value():
    for fill in (np.float32([2.5]), np.int64([7]), np.array([True]), np.float16([0.5])):
        proto = model(
            [
                node("Shape", ["x"], ["s"]),
                node("ConstantOfShape", ["s"], ["y"], value=numpy_helper.from_array(fill, "v")),
            ],
            [value("x", "a", "b")],
        )
        found = run(proto, random(2, 3))[0]
        close(found, np.full((2, 3), fill[0], fill.dtype))
    agree(proto, {"x": random(2, 3)})


def test_group_normalisation_18_has_one_scale_for_each_group():
    x, scale, bias = random(2, 6, 3, 2), random(3, seed=1), random(3, seed=2)
    proto, _ = one("GroupNormalization", 18, x, {"s": scale, "b": bias}, num_groups=3, epsilon=1e-4)
    groups = x.astype(np.float64).reshape(2, 3, -1)
    normal = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(
        groups.var(-1, keepdims=True) + np.float32(1e-4)
    )
    wanted = normal * scale[None, :, None] + bias[None, :, None]
    close(run(proto, x)[0], wanted.reshape(x.shape).astype(np.float32))


def test_batch_normalisation_per_pixel():
    x = random(2, 3, 4, 5)
    stats = {n: random(3, 4, 5, seed=i, low=0.5) for i, n in enumerate("sbmv")}
    proto, _ = one("BatchNormalization", 7, x, stats, spatial=0, epsilon=0.01)
    s, b, m, v = (stats[n].astype(np.float64) for n in "sbmv")
    wanted = (x - m) / np.sqrt(v + np.float32(0.01)) * s + b
    close(run(proto, x)[0], wanted.astype(np.float32))


@pytest.mark.parametrize("opset", [7, 9, 10])
def test_resize_of_unknown_scales_still_rounds_as_before_opset_11(opset):
    """Scales computed from the input's shape: which axes shrink is not known on import."""
    x = random(1, 2, 6, 4)
    scales = np.float32([1, 1, 0.5, 2]) if opset == 10 else np.float32([1, 1, 1.5, 2])
    if opset == 7:
        proto, _ = one("Upsample", 7, x, scales=scales.tolist())
    else:
        op = "Resize" if opset == 10 else "Upsample"
        proto = model(
            [
                node("Shape", ["x"], ["s"]),
                node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
                node("Div", ["f", "f"], ["ones"]),
                node("Mul", ["ones", "c"], ["scales"]),
                node(op, ["x", "scales"], ["y"], mode="nearest"),
            ],
            [value("x", 1, 2, "h", "w")],
            [value("y", 1, 2, None, None)],
            {"c": scales},
            opset,
        )
    agree(proto, {"x": x})


def test_half_stays_half():
    x = random(2, 3).astype(np.float16)
    proto, _ = one("Clip", 7, x, min=-0.5, max=0.5)
    graph = agree(proto, {"x": x}, 1e-3)
    assert {c.spec.dtype.value for c in graph.constants.values()} == {"float16"}


def test_old_forms_where_the_dtype_is_only_inferred():
    proto = model(
        [node("Cast", ["x"], ["h"], to=TensorProto.DOUBLE), node("Clip", ["h"], ["y"], min=0.0)],
        [value("x", "n", dtype=TensorProto.INT32)],
        opset=9,
    )
    found = run(proto, np.int32([-1, 2]))[0]
    close(found, np.float64([0, 2]))


@pytest.mark.parametrize(
    ("op", "opset", "attrs", "wanted"),
    [
        ("Cast", 19, {"to": TensorProto.FLOAT8E4M3FN}, "FLOAT8E4M3FN"),
        ("Cast", 13, {"to": TensorProto.STRING}, "STRING"),
    ],
)
def test_what_no_opset_difference_explains_is_refused(op, opset, attrs, wanted):
    stats = {n: random(3) for n in "sbmv"} if op == "BatchNormalization" else None
    proto, _ = one(op, opset, constants=stats, **attrs)
    with pytest.raises(UnsupportedError, match=wanted):
        import_onnx(proto.SerializeToString())


def test_training_dropout_drops_the_same_at_every_run():
    constants = {"r": np.float32(0.4), "t": np.array(True)}
    proto, x = one("Dropout", 13, constants=constants, seed=5)
    (y,), (again,) = (run(proto, x) for _ in range(2))
    kept = y != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(y[kept], (x / np.float32(0.6))[kept], rtol=1e-6)
    np.testing.assert_array_equal(y, again)


def test_opset_must_exist_and_be_known():
    newest = onnx.defs.onnx_opset_version()
    proto, x = one("Relu", newest)
    run(proto, x)
    proto.opset_import[0].version = newest + 1
    with pytest.raises(ModelError, match=f"up to {newest}"):
        import_onnx(proto.SerializeToString())
    proto.opset_import[0].version = 0
    with pytest.raises(ModelError, match="does not exist"):
        import_onnx(proto.SerializeToString())
    del proto.opset_import[:]
    with pytest.raises(ModelError, match="which opset"):
        import_onnx(proto.SerializeToString())


def test_opsets_before_7():
    proto, x = one("Relu", 6)
    close(run(proto, x)[0], np.maximum(x, 0))
    proto, x = one("Reshape", 1, shape=[-1, 5], consumed_inputs=[0])
    close(run(proto, x)[0], x.reshape(-1, 5))
    for axis, shape, seen in (
        (3, (5,), (5,)),
        (1, (3,), (3, 1, 1)),
        (-3, (3, 4), (3, 4, 1)),
        (0, (2, 3), (2, 3, 1, 1)),
        (None, (4, 5), (4, 5)),
    ):
        c = random(*shape)
        axes = {} if axis is None else {"axis": axis}
        proto, x = one("Add", 6, constants={"c": c}, broadcast=1, **axes)
        close(run(proto, x)[0], x + c.reshape(seen))
    slope = random(3)
    proto, x = one("PRelu", 6, constants={"slope": slope})
    close(run(proto, x)[0], np.where(x < 0, x * slope.reshape(3, 1, 1), x))
    proto, _ = one("Add", 6, constants={"c": random(4, 5)}, broadcast=1, axis=3)
    with pytest.raises(GraphError, match="rank 2 does not fit rank 4 from axis 3"):
        import_onnx(proto.SerializeToString())


@pytest.mark.parametrize(
    ("op", "attrs", "constants", "wanted"),
    [
        ("Conv", {"kernel_shape": [2, 2]}, {"w": random(4, 3, 3, 3)}, "disagrees"),
        ("Conv", {"strides": [1]}, {"w": random(4, 3, 3, 3)}, "strides .* must have 2 values"),
        ("Conv", {"pads": [1, 1]}, {"w": random(4, 3, 3, 3)}, "pads .* must have 4 values"),
        ("Conv", {"auto_pad": "SAME"}, {"w": random(4, 3, 3, 3)}, "auto_pad 'SAME'"),
        ("Conv", {}, {"w": random(4, 3)}, "filters of shape"),
        ("MaxPool", {"kernel_shape": [2]}, {}, "rank 4"),
        ("MaxPool", {}, {}, "kernel_shape.*required"),
        ("Relu", {"slope": 1.0}, {}, "unknown attribute 'slope'"),
        ("LeakyRelu", {"alpha": 1}, {}, "'alpha' is INT, must be FLOAT"),
        ("Relu", {}, {"extra": random(1)}, "2 inputs, takes 1 to 1"),
        ("Add", {}, {}, "1 inputs, takes 2 to 2"),
        ("Split", {"num_outputs": 3}, {}, "num_outputs 3 but 1 outputs"),
    ],
)
def test_bad_attributes_name_the_node(op, attrs, constants, wanted):
    proto, _ = one(op, 18, constants=constants, **attrs)
    proto.graph.node[0].name = "the_node"
    with pytest.raises(GraphError, match=wanted) as caught:
        import_onnx(proto.SerializeToString())
    assert "the_node" in str(caught.value)


def test_convolution_with_computed_filters_takes_its_axes_from_the_input():
    proto = model(
        [node("Add", ["w", "w"], ["w2"]), node("Conv", ["x", "w2"], ["y"])],
        [value("x", 1, 2, "n"), value("w", None, None, None)],
        [value("y", 1, None, None)],
    )
    agree(proto, {"x": random(1, 2, 7), "w": random(3, 2, 3)})

"""Every difference between opsets is settled on import: old models answer as in onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from clconv.errors import GraphError, ModelError, UnsupportedError
from clconv.frontend.onnx import import_onnx
from tests.frontend.support import (
    agree,
    close,
    model,
    node,
    random,
    run_graph,
    value,
)

X = random(2, 3, 4, 5)
I64 = np.int64


def one(op, opset, x=X, constants=None, outputs=("y",), rank=None, **attrs):
    """A model of one node on input x and constants in the order given, and what to feed it.

    rank: of the output, where onnx's shape inference does not find it.
    """
    names = list(outputs)
    if rank is not None:
        outputs = [value("y", *[None] * rank)]
    inputs = ["x", *(constants or {})]
    # Symbolic sizes: an import must not lean on fixed ones.
    declared = value(
        "x", *(f"d{i}" for i in range(x.ndim)), dtype=helper.np_dtype_to_tensor_dtype(x.dtype)
    )
    return model([node(op, inputs, names, **attrs)], [declared], outputs, constants, opset), x


CASES = {
    "clip 6": one("Clip", 7, min=-0.5, max=0.75),
    "clip 6 lower only": one("Clip", 9, min=-0.5),
    "clip 6 no bounds": one("Clip", 10),
    "clip 11": one("Clip", 11, constants={"lo": np.float32(-1), "hi": np.float32(1)}),
    "slice 1": one("Slice", 9, starts=[0, 1], ends=[2, -1], axes=[1, 3]),
    "slice 1 no axes": one("Slice", 7, starts=[0, 1], ends=[1, 3]),
    "slice 10": one("Slice", 10, constants={
        "s": I64([0, 4]), "e": I64([9, -9]), "a": I64([1, 3]), "t": I64([2, -1])}),
    "pad 2": one("Pad", 10, pads=[0, 0, 1, 2, 0, 0, 3, 0], value=1.5),
    "pad 2 reflect": one("Pad", 7, mode="reflect", pads=[0, 0, 1, 2, 0, 0, 3, 0]),
    "pad 11 edge": one("Pad", 11, constants={"p": I64([0, 0, 1, 2, 0, 0, 3, 0])}, mode="edge"),
    "pad 18 axes": one("Pad", 18, constants={
        "p": I64([1, 2]), "v": np.float32(3), "a": I64([-1])}),
    "squeeze 1": one("Squeeze", 11, random(1, 3, 1, 2), axes=[0, 2]),
    "squeeze 1 all": one("Squeeze", 7, random(1, 3, 1, 2), rank=2),
    "squeeze 13": one("Squeeze", 13, random(1, 3, 1, 2), {"a": I64([2])}),
    "unsqueeze 1": one("Unsqueeze", 11, axes=[0, 2]),
    "unsqueeze 13": one("Unsqueeze", 13, constants={"a": I64([-1, 1])}),
    "reduce mean 11": one("ReduceMean", 11, axes=[2, 3], keepdims=0),
    "reduce mean 13": one("ReduceMean", 13, axes=[-1]),
    "reduce mean 7 all": one("ReduceMean", 7),
    "reduce mean 18": one("ReduceMean", 18, constants={"a": I64([2, 3])}),
    "reduce sum 11": one("ReduceSum", 11, axes=[1], keepdims=0),
    "reduce sum 13": one("ReduceSum", 13, constants={"a": I64([1])}),
    "reduce max 12": one("ReduceMax", 12, axes=[3]),
    "reduce l2 13": one("ReduceL2", 13, axes=[1]),
    "argmax 11": one("ArgMax", 11, axis=2),
    "argmax 12 last": one("ArgMax", 12, np.ones((2, 3), np.float32), axis=1, select_last_index=1),
    "topk 1": one("TopK", 9, axis=2, k=2, outputs=("y", "i")),
    "topk 10": one("TopK", 10, constants={"k": I64([3])}, outputs=("y", "i")),
    "topk 11 smallest": one("TopK", 11, constants={"k": I64([2])}, largest=0, outputs=("y", "i")),
    "split 2": one("Split", 11, axis=3, split=[2, 3], outputs=("y", "z")),
    "split 2 equal": one("Split", 7, axis=2, outputs=("y", "z")),
    "split 13": one("Split", 13, constants={"s": I64([1, 2])}, axis=1, outputs=("y", "z")),
    "split 13 equal": one("Split", 13, axis=2, outputs=("y", "z")),
    "split 18 uneven": one("Split", 18, axis=3, num_outputs=2, outputs=("y", "z")),
    "dropout 7": one("Dropout", 7, ratio=0.3),
    "dropout 10 mask": one("Dropout", 10, outputs=("y", "m")),
    "dropout 12": one("Dropout", 12, constants={"r": np.float32(0.4)}),
    "dropout 13 no training": one("Dropout", 13, constants={
        "r": np.float32(0.4), "t": np.array(False)}, outputs=("y", "m")),
    "softmax 7 axis 1": one("Softmax", 7),
    "softmax 11 axis 2": one("Softmax", 11, axis=2),
    "softmax 11 axis 0": one("Softmax", 11, axis=0),
    "softmax 11 last": one("Softmax", 11, axis=3),
    "softmax 11 axis -1": one("Softmax", 11, axis=-1),
    "softmax 11 axis -2": one("Softmax", 11, axis=-2),
    "softmax 13": one("Softmax", 13, axis=1),
    "softmax 13 default": one("Softmax", 13),
    "log softmax 9": one("LogSoftmax", 9, axis=2),
    "hardmax 11": one("Hardmax", 11, axis=1),
    "upsample 7": one("Upsample", 7, scales=[1.0, 1.0, 2.0, 3.0]),
    "upsample 9": one("Upsample", 9, constants={"s": np.float32([1, 1, 2.5, 2])}),
    "upsample 9 linear": one("Upsample", 9, constants={"s": np.float32([1, 1, 2, 3])}, mode="linear"),
    "resize 10 up": one("Resize", 10, constants={"s": np.float32([1, 1, 2, 3.3])}),
    "resize 10 down": one("Resize", 10, constants={"s": np.float32([1, 1, 0.5, 0.6])}),
    "resize 10 both": one("Resize", 10, constants={"s": np.float32([1, 1, 0.6, 2])}),
    "resize 10 linear": one("Resize", 10, constants={"s": np.float32([1, 1, 0.6, 2])}, mode="linear"),
    "resize 11 sizes": one("Resize", 11, constants={
        "r": np.float32([]), "s": np.float32([]), "n": I64([2, 3, 7, 8])}, mode="linear"),
    "resize 11 scales": one("Resize", 11, constants={
        "r": np.float32([]), "s": np.float32([1, 1, 2, 2])}, mode="cubic"),
    "resize 11 tf nearest": one("Resize", 11, constants={
        "r": np.float32([]), "s": np.float32([1, 1, 2, 0.5])},
        coordinate_transformation_mode="tf_half_pixel_for_nn"),
    "resize 13 crop": one("Resize", 13, constants={
        "r": np.float32([0, 0, 0.1, 0.2, 1, 1, 0.9, 1.1]), "s": np.float32([]),
        "n": I64([2, 3, 6, 6])}, mode="linear",
        coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=2.0),
    "batch norm 7": one("BatchNormalization", 7, constants={
        n: random(3, seed=i, low=0.5) for i, n in enumerate("sbmv")}, epsilon=1e-3),
    "batch norm 9": one("BatchNormalization", 9, constants={
        n: random(3, seed=i, low=0.5) for i, n in enumerate("sbmv")}),
    "batch norm 15": one("BatchNormalization", 15, constants={
        n: random(3, seed=i, low=0.5) for i, n in enumerate("sbmv")}, momentum=0.5),
    "gemm 9": one("Gemm", 9, random(4, 5), {"b": random(3, 5), "c": random(3)}, transB=1, alpha=0.5),
    "gemm 11 no c": one("Gemm", 11, random(4, 5), {"b": random(5, 3)}),
    "average pool 7": one("AveragePool", 7, kernel_shape=[2, 3], pads=[1, 1, 0, 1], count_include_pad=1),
    "average pool 10 ceil": one("AveragePool", 10, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "average pool 19 dilated": one("AveragePool", 19, kernel_shape=[2, 2], dilations=[2, 2]),
    "max pool 7": one("MaxPool", 7, kernel_shape=[2, 2], strides=[2, 2]),
    "max pool 8 indices": one("MaxPool", 8, kernel_shape=[2, 2], outputs=("y", "i")),
    "max pool valid": one("MaxPool", 12, kernel_shape=[3, 2], strides=[2, 2], auto_pad="VALID"),
    "max pool same upper": one("MaxPool", 12, kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
    "conv same lower": one("Conv", 11, constants={"w": random(4, 3, 2, 2)}, auto_pad="SAME_LOWER"),
    "conv same dilated": one("Conv", 11, constants={"w": random(4, 3, 3, 3)}, auto_pad="SAME_UPPER",
        strides=[2, 2]),
    "conv valid": one("Conv", 1 + 6, constants={"w": random(4, 3, 3, 3)}, auto_pad="VALID"),
    "conv defaults": one("Conv", 22, constants={"w": random(4, 3, 3, 3), "b": random(4)}),
    "conv kernel shape": one("Conv", 9, constants={"w": random(4, 3, 3, 2)}, kernel_shape=[3, 2]),
    "conv 1-D": one("Conv", 11, random(2, 3, 9), {"w": random(4, 3, 3)}, strides=[2]),
    "conv transpose": one("ConvTranspose", 11, constants={"w": random(3, 4, 3, 3)}, strides=[2, 2],
        output_padding=[1, 0]),
    "conv transpose same": one("ConvTranspose", 11, constants={"w": random(3, 4, 3, 3)}, strides=[2, 2],
        auto_pad="SAME_UPPER"),
    "conv transpose shape": one("ConvTranspose", 11, constants={"w": random(3, 4, 3, 3)}, strides=[2, 2],
        output_shape=[8, 9]),
    "cast": one("Cast", 9, to=TensorProto.INT32),
    "cast 19": one("Cast", 19, to=TensorProto.FLOAT16, saturate=1),
    "cast bool": one("Cast", 13, to=TensorProto.BOOL),
    "eye like": one("EyeLike", 9, random(3, 4), dtype=TensorProto.INT32, k=1),
    "reshape 13": one("Reshape", 13, constants={"s": I64([0, -1])}),
    "flatten": one("Flatten", 9, axis=2),
    "transpose": one("Transpose", 7),
    "mean": one("Mean", 8, constants={"a": random(1, 3, 1, 1), "b": random(5)}),
    "sum 6": one("Sum", 7, constants={"a": X, "b": X}),
    "shrink": one("Shrink", 9, lambd=0.5, bias=0.2),
    "identity": one("Identity", 13),
    "scatter": one("Scatter", 9, random(3, 3), {
        "i": I64([[1, 0, 2]]), "u": np.float32([[7, 8, 9]])}),
    "depth to space": one("DepthToSpace", 9, random(1, 8, 2, 3), blocksize=2),
    "shape 15": one("Shape", 15, start=1, end=-1),
    "one hot": one("OneHot", 11, I64([0, 2]), {"d": I64(3), "v": np.float32([0, 1])}),
    "hard sigmoid": one("HardSigmoid", 7, alpha=0.3),
    "prelu 7": one("PRelu", 7, constants={"s": random(3, 1, 1)}),
    "lrn": one("LRN", 7, size=3),
    "instance norm": one("InstanceNormalization", 7, constants={"s": random(3), "b": random(3)}),
    "group norm 21": one("GroupNormalization", 21, random(2, 4, 3, 3), {
        "s": random(4), "b": random(4)}, num_groups=2, rank=4),
    "layer norm": one("LayerNormalization", 17, constants={"s": random(5), "b": random(5)}),
    "gelu": one("Gelu", 20, approximate="tanh"),
    "grid sample 16": one("GridSample", 16, constants={"g": random(2, 3, 3, 2, low=-1, high=1)},
        mode="bilinear"),
    "grid sample 20": one("GridSample", 20, constants={"g": random(2, 3, 3, 2, low=-1, high=1)},
        mode="cubic"),
    "roi align 10": one("RoiAlign", 10, random(1, 2, 8, 8), {
        "r": np.float32([[0, 0, 5, 6]]), "b": I64([0])}, output_height=2, output_width=2,
        sampling_ratio=2),
    "roi align 16": one("RoiAlign", 16, random(1, 2, 8, 8), {
        "r": np.float32([[0, 0, 5, 6]]), "b": I64([0])}, output_height=2, output_width=2,
        sampling_ratio=2),
    "quantize 10": one("QuantizeLinear", 10, constants={"s": np.float32(0.02), "z": np.uint8(128)}),
    "quantize 21": one("QuantizeLinear", 21, constants={"s": np.float32(0.02)},
        output_dtype=TensorProto.INT8),
    "dequantize 13": one("DequantizeLinear", 13, np.int8([[1, -2], [3, 4]]), {
        "s": np.float32([0.5, 2])}, axis=0),
    "conv integer": one("ConvInteger", 10, np.uint8(X * 9 + 40), {
        "w": np.uint8(random(4, 3, 2, 2) * 9 + 40), "zx": np.uint8(40), "zw": np.uint8(41)}),
    "lstm 7": one("LSTM", 7, random(4, 2, 3), {
        "w": random(1, 20, 3), "r": random(1, 20, 5)}, outputs=("y", "h", "c"), hidden_size=5),
    "gru 14": one("GRU", 14, random(2, 4, 3), {
        "w": random(1, 15, 3), "r": random(1, 15, 5)}, hidden_size=5, layout=0),
    "einsum": one("Einsum", 12, equation="abcd->dc"),
    "hard swish": one("HardSwish", 14),
}  # fmt: skip


@pytest.mark.parametrize("label", CASES)
def test_old_and_new_forms_agree_with_onnxruntime(label):
    pytest.importorskip("onnxruntime")
    proto, x = CASES[label]
    agree(proto, {"x": x})


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
        ("BatchNormalization", 14, {"training_mode": 1}, "training_mode 1"),
        ("HardSwish", 11, {}, "came with 14"),
        ("Cast", 19, {"to": TensorProto.FLOAT8E4M3FN}, "FLOAT8E4M3FN"),
        ("Cast", 13, {"to": TensorProto.STRING}, "STRING"),
    ],
)
def test_what_no_opset_difference_explains_is_refused(op, opset, attrs, wanted):
    stats = {n: random(3) for n in "sbmv"} if op == "BatchNormalization" else None
    proto, _ = one(op, opset, constants=stats, **attrs)
    with pytest.raises(UnsupportedError, match=wanted):
        import_onnx(proto.SerializeToString())


def test_training_dropout_is_refused():
    constants = {"r": np.float32(0.4), "t": np.array(True)}
    proto, _ = one("Dropout", 13, constants=constants)
    with pytest.raises(UnsupportedError, match="training"):
        import_onnx(proto.SerializeToString())


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

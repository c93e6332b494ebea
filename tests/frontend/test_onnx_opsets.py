"""Every difference between opsets is settled on import: old models answer as in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from tests.frontend.support import (
    I64,
    X,
    agree,
    one,
    random,
)
from tests.peers import newer_onnxruntime

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


_MARKS = {"einsum": newer_onnxruntime("fails in an Einsum that sums two axes")}


@pytest.mark.parametrize(
    "label", [pytest.param(label, marks=_MARKS.get(label, ())) for label in CASES]
)
def test_old_and_new_forms_agree_with_onnxruntime(label):
    pytest.importorskip("onnxruntime")
    proto, x = CASES[label]
    agree(proto, {"x": x})

"""Small models with what single nodes do not have: chains that passes rewrite, control flow, quantised layers, open
sizes, external data, onnxruntime's own operators."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper

from tests.fuzz.hand_made_control import branches, function, loop, open_loop, scan, sequences
from tests.fuzz.small_model import BuiltModel, F, node, random_array, small_model


def _network() -> BuiltModel:
    """Convolution, batch norm, activation, residual sum, pooling, dense; the batch is open."""
    nodes = [
        node("Pad", ["x", "pads"], ["padded"], mode="reflect"),
        node("Conv", ["padded", "w", "b"], ["c"], kernel_shape=[3, 3]),
        node("BatchNormalization", ["c", "s", "o", "m", "v"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("Conv", ["r", "w2"], ["d"], pads=[1, 1, 1, 1], auto_pad="NOTSET"),
        node("Add", ["d", "r"], ["sum"]),
        node("Clip", ["sum", "zero", "six"], ["clipped"]),
        node("MaxPool", ["clipped"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", ["p"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "w3", "b3"], ["y"], transB=1),
    ]
    constants = {
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "w": random_array(4, 3, 3, 3), "b": random_array(4),
        "s": random_array(4) + 2, "o": random_array(4), "m": random_array(4), "v": random_array(4) ** 2 + 1,
        "w2": random_array(4, 4, 3, 3, seed=1), "zero": np.float32(0), "six": np.float32(6),
        "w3": random_array(5, 4), "b3": random_array(5),
    }  # fmt: skip
    return small_model(nodes, {"x": ("n", 3, 8, 8)}, constants), {"x": random_array(2, 3, 8, 8)}


def _transposed() -> BuiltModel:
    """As exporters from TensorFlow write it: channels last around channels first."""
    nodes = [
        node("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
        node("Conv", ["a", "w"], ["b"], pads=[1, 1, 1, 1]),
        node("Transpose", ["b"], ["c"], perm=[0, 2, 3, 1]),
        node("Add", ["c", "bias"], ["d"]),
        node("ReduceMean", ["d", "axes"], ["e"], keepdims=1),
        node("Mul", ["d", "e"], ["f"]),
        node("Concat", ["f", "d"], ["g"], axis=3),
        node("Slice", ["g", "starts", "ends", "last"], ["h"]),
        node("Transpose", ["h"], ["y"], perm=[0, 3, 1, 2]),
    ]
    constants = {
        "w": random_array(4, 3, 3, 3), "bias": random_array(4), "axes": np.array([1, 2]), "starts": np.array([1]),
        "ends": np.array([7]), "last": np.array([3]),
    }  # fmt: skip
    return small_model(nodes, {"x": (1, "h", "w", 3)}, constants), {"x": random_array(1, 5, 6, 3)}


def _shapes() -> BuiltModel:
    """Sizes that are computed from sizes."""
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "at"], ["nn"]),
        node("Concat", ["nn", "rest"], ["wanted"], axis=0),
        node("Reshape", ["x", "wanted"], ["r"]),
        node("Split", ["r"], ["s", "t"], axis=1, num_outputs=2),
        node("Expand", ["s", "wide"], ["u"]),
        node("Resize", ["r4", "", "scales"], ["z"], mode="linear"),
        node("Unsqueeze", ["u", "axes"], ["r4"]),
        node("Softmax", ["z"], ["y"], axis=-1),
    ]
    constants = {
        "zero": np.array(0), "at": np.array([0]), "rest": np.array([4, -1]), "wide": np.array([1, 1, 1]),
        "axes": np.array([1]), "scales": np.array([1, 1, 2, 1.5], np.float32),
    }  # fmt: skip
    return small_model(nodes, {"x": ("n", 2, 6)}, constants), {"x": random_array(2, 2, 6)}


def _quantised() -> BuiltModel:
    """A quantised convolution as exporters write it, and one of QLinear operators."""
    nodes = [
        node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
        node("DequantizeLinear", ["q", "sx", "zx"], ["d"]),
        node("DequantizeLinear", ["w", "sw", "zw"], ["dw"], axis=0),
        node("Conv", ["d", "dw"], ["c"]),
        node("Relu", ["c"], ["r"]),
        node("QuantizeLinear", ["r", "sx", "zx"], ["q2"]),
        node("QLinearConv", ["q2", "sx", "zx", "w2", "sw", "zw", "sx", "zx", "b2"], ["q3"]),
        node("DequantizeLinear", ["q3", "sx", "zx"], ["y"]),
    ]
    rng = np.random.default_rng(3)
    constants = {
        "sx": np.float32(0.02), "zx": np.uint8(120), "sw": np.full(4, 0.01, np.float32),
        "zw": np.zeros(4, np.int8), "w": rng.integers(-127, 127, (4, 3, 3, 3)).astype(np.int8),
        "w2": rng.integers(-127, 127, (4, 4, 1, 1)).astype(np.int8),
        "b2": rng.integers(-99, 99, 4).astype(np.int32),
    }  # fmt: skip
    return small_model(nodes, {"x": ("n", 3, 6, 6)}, constants), {"x": random_array(1, 3, 6, 6)}


def _dynamic_quantised() -> BuiltModel:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("MatMulInteger", ["q", "w", "z"], ["m"]),
        node("Cast", ["m"], ["c"], to=F),
        node("Mul", ["s", "sw"], ["scale"]),
        node("Mul", ["c", "scale"], ["y"]),
    ]
    weights = np.random.default_rng(1).integers(0, 255, (8, 5)).astype(np.uint8)
    constants = {"w": weights, "sw": np.float32(0.01)}
    return small_model(nodes, {"x": (4, 8)}, constants), {"x": random_array(4, 8)}


def _detection() -> BuiltModel:
    """Shapes that data decides: boxes, then what follows them."""
    nodes = [
        node("Sigmoid", ["scores"], ["p"]),
        node("NonMaxSuppression", ["boxes", "p", "most", "overlap", "least"], ["kept"]),
        node("Gather", ["kept", "two"], ["index"], axis=1),
        node("Gather", ["flat", "index"], ["y"], axis=0),
        node("Reshape", ["boxes", "four"], ["flat"]),
        node("NonZero", ["p"], ["z"]),
        node("Compress", ["flat", "which"], ["k"], axis=0),
    ]
    constants = {
        "most": np.array([3]), "overlap": np.array([0.5], np.float32), "least": np.array([0.1], np.float32),
        "two": np.array(2), "four": np.array([-1, 4]), "which": np.array([True, False, True]),
    }  # fmt: skip
    boxes = np.sort(random_array(1, 6, 4), -1)
    feeds = {"boxes": boxes, "scores": random_array(1, 2, 6)}
    inputs = {"boxes": (1, "k", 4), "scores": (1, 2, "k")}
    return small_model(nodes, inputs, constants, ("y", "z", "k")), feeds


def _microsoft() -> BuiltModel:
    domain = {"domain": "com.microsoft"}
    nodes = [
        node("FusedConv", ["x", "w"], ["c"], activation="Relu", **domain),
        node("Flatten", ["c"], ["f"]),
        node("FusedMatMul", ["f", "m"], ["a"], transB=1, alpha=0.5, **domain),
        node("SkipLayerNormalization", ["a", "a", "g", "b"], ["n"], **domain),
        node("BiasGelu", ["n", "b"], ["y"], **domain),
    ]
    constants = {
        "w": random_array(2, 3, 3, 3), "m": random_array(6, 32), "g": random_array(6) + 1, "b": random_array(6),
    }  # fmt: skip
    model = small_model(
        nodes, {"x": (2, 3, 6, 6)}, constants, domains=[helper.make_opsetid("com.microsoft", 1)]
    )
    return model, {"x": random_array(2, 3, 6, 6)}


def _recurrent() -> BuiltModel:
    nodes = [
        node("LSTM", ["x", "w", "r", "b"], ["all", "h"], hidden_size=3, direction="forward"),
        node("Squeeze", ["all", "one"], ["s"]),
        node("Attention", ["s", "s", "s"], ["a"], q_num_heads=1, kv_num_heads=1),
        node("Einsum", ["a", "m"], ["y"], equation="ijk,kl->ijl"),
    ]
    constants = {
        "w": random_array(1, 12, 4), "r": random_array(1, 12, 3), "b": random_array(1, 24), "one": np.array([1]),
        "m": random_array(3, 2),
    }  # fmt: skip
    return small_model(nodes, {"x": (5, 2, 4)}, constants, opset=23), {"x": random_array(5, 2, 4)}


def _external() -> BuiltModel:
    """Weights in a file beside the model."""
    weights = random_array(4, 3, 3, 3)
    model = small_model([node("Conv", ["x", "w"], ["y"])], {"x": (1, 3, 6, 6)}, {"w": weights})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (
        ("location", "weights.bin"),
        ("offset", "16"),
        ("length", str(weights.nbytes)),
    ):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return model, {"x": random_array(1, 3, 6, 6)}, {"weights.bin": bytes(16) + weights.tobytes()}


HAND_MADE: dict[str, Callable[[], BuiltModel]] = {
    build.__name__.strip("_"): build
    for build in (
        _network, _transposed, _shapes, branches, loop, open_loop, scan, sequences, function,
        _quantised, _dynamic_quantised, _detection, _microsoft, _recurrent, _external,
    )
}  # fmt: skip

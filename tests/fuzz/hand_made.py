"""Small models with what single nodes do not have: chains that passes rewrite, control flow, sequences, functions,
quantised layers, open sizes, external data, onnxruntime's own operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F, I64, BOOL, U8 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8
node, info = helper.make_node, helper.make_tensor_value_info
Made = tuple[Any, ...]  # model, feeds, and files where there are some


def _random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[Any, ...]],
    constants: dict[str, np.ndarray],
    outputs: tuple[str, ...] = ("y",),
    opset: int = 18,
    **more: Any,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "seed",
        [info(name, F, list(shape)) for name, shape in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()],
    )
    domains = [helper.make_opsetid("", opset), *more.pop("domains", ())]
    return helper.make_model(graph, opset_imports=domains, ir_version=9, **more)


def _network() -> Made:
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
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "w": _random(4, 3, 3, 3), "b": _random(4),
        "s": _random(4) + 2, "o": _random(4), "m": _random(4), "v": _random(4) ** 2 + 1,
        "w2": _random(4, 4, 3, 3, seed=1), "zero": np.float32(0), "six": np.float32(6),
        "w3": _random(5, 4), "b3": _random(5),
    }  # fmt: skip
    return _model(nodes, {"x": ("n", 3, 8, 8)}, constants), {"x": _random(2, 3, 8, 8)}


def _transposed() -> Made:
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
        "w": _random(4, 3, 3, 3), "bias": _random(4), "axes": np.array([1, 2]), "starts": np.array([1]),
        "ends": np.array([7]), "last": np.array([3]),
    }  # fmt: skip
    return _model(nodes, {"x": (1, "h", "w", 3)}, constants), {"x": _random(1, 5, 6, 3)}


def _shapes() -> Made:
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
    return _model(nodes, {"x": ("n", 2, 6)}, constants), {"x": _random(2, 2, 6)}


def _branches() -> Made:
    """An If whose condition is known at run time only, which captures values of the graph around it."""
    then = helper.make_graph([node("Mul", ["x", "w"], ["t"])], "then", [], [info("t", F, None)])
    other = helper.make_graph(
        [node("Neg", ["x"], ["m"]), node("Add", ["m", "k"], ["e"])], "else", [], [info("e", F, None)],
        [numpy_helper.from_array(_random(4), "k")],
    )  # fmt: skip
    nodes = [
        node("ReduceSum", ["x"], ["sum"], keepdims=0),
        node("Greater", ["sum", "zero"], ["cond"]),
        node("If", ["cond"], ["i"], then_branch=then, else_branch=other),
        node("Relu", ["i"], ["y"]),
    ]
    constants = {"w": _random(3, 4), "zero": np.float32(0)}
    return _model(nodes, {"x": (3, 4)}, constants), {"x": _random(3, 4)}


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


def _loop() -> Made:
    """A Loop of known length, with a carried value and a scan output."""
    nodes = [node("Loop", ["n", "", "x"], ["y", "z"], body=_body())]
    constants = {"n": np.array(3), "w": _random(3, 4)}
    return _model(nodes, {"x": (3, 4)}, constants, ("y", "z")), {"x": _random(3, 4)}


def _open_loop() -> Made:
    """A Loop whose length data decides."""
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Mul", ["m", "four"], ["m4"]),
        node("Cast", ["m4"], ["n"], to=I64),
        node("Loop", ["n", "", "x"], ["y", "z"], body=_body()),
    ]
    constants = {"w": _random(3, 4), "four": np.float32(4)}
    return _model(nodes, {"x": (3, 4)}, constants, ("y", "z")), {"x": _random(3, 4)}


def _scan() -> Made:
    body = helper.make_graph(
        [node("Add", ["s", "p"], ["t"]), node("Tanh", ["t"], ["o"])],
        "body",
        [info("s", F, [4]), info("p", F, [4])],
        [info("t", F, [4]), info("o", F, [4])],
    )
    nodes = [node("Scan", ["x0", "x"], ["last", "y"], body=body, num_scan_inputs=1)]
    constants = {"x0": _random(4)}
    return _model(nodes, {"x": (5, 4)}, constants, ("last", "y")), {"x": _random(5, 4)}


def _sequences() -> Made:
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
    model = _model(nodes, {"x": (2, 4, 3)}, constants, ("y", "length"))
    return model, {"x": _random(2, 4, 3)}


def _function() -> Made:
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
    model = _model(
        nodes, {"x": (2, 5)}, {}, domains=[helper.make_opsetid("local", 1)], functions=[act, twice]
    )
    return model, {"x": _random(2, 5)}


def _quantised() -> Made:
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
    return _model(nodes, {"x": ("n", 3, 6, 6)}, constants), {"x": _random(1, 3, 6, 6)}


def _dynamic_quantised() -> Made:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("MatMulInteger", ["q", "w", "z"], ["m"]),
        node("Cast", ["m"], ["c"], to=F),
        node("Mul", ["s", "sw"], ["scale"]),
        node("Mul", ["c", "scale"], ["y"]),
    ]
    weights = np.random.default_rng(1).integers(0, 255, (8, 5)).astype(np.uint8)
    constants = {"w": weights, "sw": np.float32(0.01)}
    return _model(nodes, {"x": (4, 8)}, constants), {"x": _random(4, 8)}


def _detection() -> Made:
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
    boxes = np.sort(_random(1, 6, 4), -1)
    feeds = {"boxes": boxes, "scores": _random(1, 2, 6)}
    inputs = {"boxes": (1, "k", 4), "scores": (1, 2, "k")}
    return _model(nodes, inputs, constants, ("y", "z", "k")), feeds


def _microsoft() -> Made:
    domain = {"domain": "com.microsoft"}
    nodes = [
        node("FusedConv", ["x", "w"], ["c"], activation="Relu", **domain),
        node("Flatten", ["c"], ["f"]),
        node("FusedMatMul", ["f", "m"], ["a"], transB=1, alpha=0.5, **domain),
        node("SkipLayerNormalization", ["a", "a", "g", "b"], ["n"], **domain),
        node("BiasGelu", ["n", "b"], ["y"], **domain),
    ]
    constants = {
        "w": _random(2, 3, 3, 3), "m": _random(6, 32), "g": _random(6) + 1, "b": _random(6),
    }  # fmt: skip
    model = _model(
        nodes, {"x": (2, 3, 6, 6)}, constants, domains=[helper.make_opsetid("com.microsoft", 1)]
    )
    return model, {"x": _random(2, 3, 6, 6)}


def _recurrent() -> Made:
    nodes = [
        node("LSTM", ["x", "w", "r", "b"], ["all", "h"], hidden_size=3, direction="forward"),
        node("Squeeze", ["all", "one"], ["s"]),
        node("Attention", ["s", "s", "s"], ["a"], q_num_heads=1, kv_num_heads=1),
        node("Einsum", ["a", "m"], ["y"], equation="ijk,kl->ijl"),
    ]
    constants = {
        "w": _random(1, 12, 4), "r": _random(1, 12, 3), "b": _random(1, 24), "one": np.array([1]),
        "m": _random(3, 2),
    }  # fmt: skip
    return _model(nodes, {"x": (5, 2, 4)}, constants, opset=23), {"x": _random(5, 2, 4)}


def _external() -> Made:
    """Weights in a file beside the model."""
    weights = _random(4, 3, 3, 3)
    model = _model([node("Conv", ["x", "w"], ["y"])], {"x": (1, 3, 6, 6)}, {"w": weights})
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
    return model, {"x": _random(1, 3, 6, 6)}, {"weights.bin": bytes(16) + weights.tobytes()}


HAND_MADE: dict[str, Callable[[], Made]] = {
    build.__name__.strip("_"): build
    for build in (
        _network, _transposed, _shapes, _branches, _loop, _open_loop, _scan, _sequences, _function,
        _quantised, _dynamic_quantised, _detection, _microsoft, _recurrent, _external,
    )
}  # fmt: skip

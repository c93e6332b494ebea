"""Models that say something impossible end in an error of clconv that names the node, whichever part finds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import (
    ClconvError,
    ConfigError,
    GraphError,
    InternalError,
    ModelError,
    ShapeError,
    UnsupportedError,
)
from clconv.graph.ops import OPS
from tests.frontend.support import model, node, value

F32, I64 = np.float32, np.int64
IMAGE = (1, 3, 8, 8)
FILTERS = np.ones((2, 3, 2, 2), F32)
QUANTISED: dict[str, Any] = {"s": F32(0.1), "z": np.uint8(3)}


def _body() -> onnx.GraphProto:
    return helper.make_graph(
        [node("Identity", ["c"], ["d"]), node("Neg", ["a"], ["b"])],
        "body",
        [
            value("i", dtype=TensorProto.INT64),
            value("c", dtype=TensorProto.BOOL),
            value("a", *IMAGE),
        ],
        [value("d", dtype=TensorProto.BOOL), value("b", *IMAGE)],
    )


def _branch(name: str) -> onnx.GraphProto:
    return helper.make_graph([node("Neg", ["x"], [name])], name, [], [value(name, *IMAGE)])


def _scan(**attributes: Any) -> onnx.NodeProto:
    body = helper.make_graph(
        [node("Relu", ["p"], ["o"])], "body", [value("p", 3, 8, 8)], [value("o", 3, 8, 8)]
    )
    return node("Scan", ["x"], ["y"], "the node", body=body, num_scan_inputs=1, **attributes)


def named(op: str, inputs: list[str], outputs: tuple[str, ...] = ("y",), **attributes: Any) -> Any:
    return node(op, inputs, list(outputs), "the node", **attributes)


def quantised_conv(w: np.ndarray, scale: Any, zero: Any, bias: Any = None) -> tuple[Any, Any]:
    """QLinearConv of constant weights, scales and zero points, which passes look into."""
    constants = {**QUANTISED, "w": w, "sw": scale, "zw": zero}
    inputs = ["q", "s", "z", "w", "sw", "zw", "s", "z"]
    if bias is not None:
        constants["b"] = bias
        inputs.append("b")
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), named("QLinearConv", inputs, ("c",))]
    return [*nodes, node("DequantizeLinear", ["c", "s", "z"], ["y"])], constants


BYTES = np.ones((2, 3, 2, 2), np.int8)
SEQUENCE = node("SequenceConstruct", ["x", "x"], ["s"])
BOXES = np.zeros((1, 2, 4), F32)

# what is wrong -> nodes, constants, error
BAD: dict[str, tuple[list[Any], Mapping[str, Any], type[ClconvError]]] = {
    "perm outside, before another transpose": (
        [named("Transpose", ["x"], ("t",), perm=[0, 2, 3, 9]), node("Relu", ["t"], ["y"])], {}, ShapeError,
    ),
    "perm of another rank, twice": (
        [named("Transpose", ["x"], ("t",), perm=[0, 2, 1]), node("Transpose", ["t"], ["y"], perm=[0, 2, 1])],
        {}, ShapeError,
    ),
    "perm with an axis twice": ([named("Transpose", ["x"], perm=[0, 1, 1, 2])], {}, ShapeError),
    "filters without axes": ([named("Conv", ["x", "w"])], {"w": F32(1)}, ModelError),
    "an input without axes": (
        [node("ReduceSum", ["x"], ["t"], keepdims=0), named("Conv", ["t", "w"], ("c",)),
         node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1])],
        {"w": FILTERS}, ModelError,
    ),
    "bias of another length, scaled": (
        [named("Conv", ["x", "w", "b"], ("c",)), node("Mul", ["c", "two"], ["y"])],
        {"w": FILTERS, "b": np.ones(5, F32), "two": F32(2)}, ShapeError,
    ),
    "groups that do not divide, scaled": (
        [named("ConvTranspose", ["x", "w"], ("c",), group=2), node("Mul", ["c", "two"], ["y"])],
        {"w": np.ones((3, 2, 2, 2), F32), "two": F32(2)}, ShapeError,
    ),
    "zero points of another length": (*quantised_conv(BYTES, F32(0.1), np.zeros(5, np.int8)), ShapeError),
    "scales of another length": (*quantised_conv(BYTES, np.ones(5, F32), np.int8(0)), ShapeError),
    "scales of two axes": (*quantised_conv(BYTES, np.ones((2, 1), F32), np.int8(0)), ShapeError),
    "bias of another length, quantised": (
        *quantised_conv(BYTES, F32(0.1), np.int8(0), np.ones(7, np.int32)), ShapeError,
    ),
    "Compress along no axis": ([named("Compress", ["x", "c"], axis=9)], {"c": np.array([True])}, ShapeError),
    "Compress by a matrix": ([named("Compress", ["x", "c"], axis=1)], {"c": np.ones((2, 2), bool)}, ShapeError),
    "Compress by too much": ([named("Compress", ["x", "c"], axis=1)], {"c": np.ones(9, bool)}, ShapeError),
    "Compress by numbers": ([named("Compress", ["x", "c"], axis=1)], {"c": np.ones(3, F32)}, ShapeError),
    "Unique along no axis": ([named("Unique", ["x"], axis=4)], {}, ShapeError),
    "boxes of rank 4": ([named("NonMaxSuppression", ["x", "s"])], {"s": np.ones((1, 1, 4), F32)}, ShapeError),
    "an empty limit of boxes": (
        [named("NonMaxSuppression", ["b", "s", "m"], ("k",)), node("Shape", ["x"], ["y"])],
        {"b": BOXES, "s": np.ones((1, 1, 2), F32), "m": np.zeros(0, I64)}, ShapeError,
    ),
    "scores for other boxes": (
        [named("NonMaxSuppression", ["b", "s", "m"], ("k",)), node("Shape", ["x"], ["y"])],
        {"b": BOXES, "s": np.ones((1, 1, 5), F32), "m": np.array(1)}, ShapeError,
    ),
    "an empty trip count": (
        [named("Loop", ["n", "", "x"], body=_body())], {"n": np.zeros(0, I64)}, ShapeError,
    ),
    "a trip count of floats": ([named("Loop", ["n", "", "x"], body=_body())], {"n": F32(2)}, ShapeError),
    "a scan along no axis": ([_scan(scan_input_axes=[7])], {}, ShapeError),
    "a scan output along no axis": ([_scan(scan_output_axes=[7])], {}, ShapeError),
    "a tensor operator on a sequence": ([SEQUENCE, named("Relu", ["s"])], {}, GraphError),
    "an operator of the host on a sequence": ([SEQUENCE, named("NonZero", ["s"])], {}, GraphError),
    "an unknown shape of a sequence": ([SEQUENCE, named("Shape", ["s"])], {}, GraphError),
    "a sequence in a sequence": (
        [SEQUENCE, named("SequenceConstruct", ["s", "x"], ("t",)), node("SequenceAt", ["t", "i"], ["y"])],
        {"i": np.array(0)}, GraphError,
    ),
    "a sequence as a condition": (
        [SEQUENCE, named("If", ["s"], then_branch=_branch("t"), else_branch=_branch("e"))], {}, GraphError,
    ),
    "a sequence as a position": ([SEQUENCE, named("SequenceAt", ["s", "s"])], {}, GraphError),
    "an empty position": ([SEQUENCE, named("SequenceAt", ["s", "i"])], {"i": np.zeros(0, I64)}, ShapeError),
    "a position of floats": ([SEQUENCE, named("SequenceAt", ["s", "i"])], {"i": F32(0)}, ShapeError),
    "parts of floats": (
        [named("SplitToSequence", ["x", "p"], ("s",)), node("SequenceAt", ["s", "i"], ["y"])],
        {"p": np.array([1.0], F32), "i": np.array(0)}, ShapeError,
    ),
    "an endless scale": ([named("Resize", ["x", "", "s"])], {"s": np.array([1, 1, 1e38, 1], F32)}, ShapeError),
    "a huge scale": ([named("Resize", ["x", "", "s"])], {"s": np.array([1, 1, 1e17, 1], F32)}, ShapeError),
    "a huge size": ([named("Resize", ["x", "", "", "s"])], {"s": np.array([1, 3, 1 << 40, 8])}, ShapeError),
    "pads beyond everything": ([named("Conv", ["x", "w"], pads=[2**63 - 1, 0, 0, 0])], {"w": FILTERS}, ClconvError),
    "samples beyond 32 bits": (
        [named("RoiAlign", ["x", "r", "b"], sampling_ratio=2**32)], {"r": np.ones((1, 4), F32), "b": np.array([0])},
        ShapeError,
    ),
    "more axes than NumPy has": ([named("Reshape", ["x", "s"])], {"s": np.array([192] + [1] * 64)}, ShapeError),
    "a constant of more axes than NumPy has": (
        [named("ConstantOfShape", ["s"], ("c",)), node("Add", ["x", "c"], ["y"])], {"s": np.ones(65, I64)}, ShapeError,
    ),
    "nothing, times what no memory holds": (
        [named("ConstantOfShape", ["s"], ("c",)), node("Shape", ["c"], ["y"])],
        {"s": np.array([0, 1 << 40, 1 << 40])}, ClconvError,
    ),
    "an absent operand": ([named("Max", ["x", "", "x"])], {}, GraphError),
    "random numbers of a negative shape": (
        [named("RandomNormal", [], shape=[-2, 3])], {}, ShapeError,
    ),
}  # fmt: skip


def _load(
    nodes: list[Any], constants: Mapping[str, Any], device: DeviceInfo, **more: Any
) -> clconv.Session:
    shape = more.pop("shape", IMAGE)
    proto = model(nodes, [value("x", *shape)], ["y"], constants, **more)
    return clconv.load(proto.SerializeToString(), device)


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("shape", [IMAGE, ("n", 3, "h", "w")], ids=["known", "open"])
def test_impossible_models_are_refused(what: str, shape: Any, device: DeviceInfo) -> None:
    nodes, constants, kind = BAD[what]
    with pytest.raises(kind, match="the node") as caught:
        _load(nodes, constants, device, shape=shape, opset=18).run({"x": np.ones(IMAGE, F32)})
    assert not isinstance(caught.value, InternalError)


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"activtaion": "Relu"}, "unknown attribute 'activtaion'.*'activation'"),
        ({"activation": 1}, "attribute 'activation' is INT, must be STRING"),
        ({"strides": [1.0, 1.0]}, "attribute 'strides' is FLOATS, must be INTS"),
    ],
)
def test_attributes_of_onnxruntime_s_operators_are_checked(
    attributes: dict[str, Any], says: str, device: DeviceInfo
) -> None:
    made = node("FusedConv", ["x", "w"], ["y"], "the node", domain="com.microsoft", **attributes)
    with pytest.raises(GraphError, match=f"the node.*{says}"):
        _load([made], {"w": FILTERS}, device, domains=[helper.make_opsetid("com.microsoft", 1)])


@pytest.mark.parametrize("op", ["Attention", "SkipLayerNormalization", "QLinearAdd", "GroupNorm"])
def test_inputs_of_onnxruntime_s_operators_are_checked(op: str, device: DeviceInfo) -> None:
    made = node(op, ["x"], ["y"], "the node", domain="com.microsoft")
    with pytest.raises(GraphError, match=r"the node.*input 1 is missing"):
        _load([made], {}, device, domains=[helper.make_opsetid("com.microsoft", 1)])


@pytest.mark.parametrize("opset", [9, 18])
def test_attributes_that_onnx_has_not_yet_are_said(opset: int, device: DeviceInfo) -> None:
    """onnxruntime's QuantizeLinear is there in every opset, with attributes of ONNX's newest."""
    made = node(
        "QuantizeLinear",
        ["x", "s"],
        ["y"],
        "the node",
        domain="com.microsoft",
        precision=7,
        block_size=3,
    )
    with pytest.raises(ModelError, match="the node"):
        domains = [helper.make_opsetid("com.microsoft", 1)]
        _load([made], {"s": F32(1)}, device, opset=opset, domains=domains)


def test_operators_of_clconv_alone_are_not_in_models(device: DeviceInfo) -> None:
    own = [op for op in OPS if not onnx.defs.has(op)]
    assert "FakeQuantize" in own
    for op in own:
        with pytest.raises(UnsupportedError, match=op):
            _load([node(op, ["x"], ["y"])], {}, device)


def test_a_long_name_of_external_data_is_refused(tmp_path: Path, device: DeviceInfo) -> None:
    proto = model([node("Conv", ["x", "w"], ["y"])], [value("x", *IMAGE)], ["y"], {"w": FILTERS})
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "a" * 5000
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="tensor 'w'"):
        clconv.load(tmp_path / "model.onnx", device)


def test_a_dump_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: DeviceInfo
) -> None:
    def full(*arguments: Any, **named: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("CLCONV_DUMP", str(tmp_path / "dump"))
    monkeypatch.setattr("clconv.runtime.dump.write", full)
    with pytest.raises(ConfigError, match=r"CLCONV_DUMP.*No space left"):
        _load([node("Relu", ["x"], ["y"])], {}, device)


def test_a_pass_that_fails_is_a_bug_of_clconv(
    monkeypatch: pytest.MonkeyPatch, device: DeviceInfo
) -> None:
    def broken(graph: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("clconv.graph.passes.PASSES", (broken,))
    with pytest.raises(InternalError, match=r"the pass broken ended in KeyError: 'lost'") as caught:
        _load([node("Relu", ["x"], ["y"])], {}, device)
    assert isinstance(caught.value.__cause__, KeyError)

"""Impossible nodes are refused with a ShapeError that names the node, never with a crash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clconv.errors import InputError, NeedsValue, ShapeError
from clconv.graph.evaluate import evaluate_node, infer_node, settle_node
from clconv.graph.ir import Constant, DType, TensorSpec
from clconv.graph.ops import make_node

F, I64 = DType.FLOAT32, DType.INT64


class V(list[Any]):
    """The values of a constant int64 input."""


def attempt(op: str, *inputs: Any, outputs: int = 1, **attrs: Any) -> list[TensorSpec]:
    """Settles and infers a node; an input is a shape, a (dtype, shape), values V([...]) or None."""
    specs, constants, names = {}, {}, []
    for i, given in enumerate(inputs):
        name = "" if given is None else f"in{i}"
        if isinstance(given, V):
            constants[name] = Constant(np.array(given, np.int64))
        elif isinstance(given, np.ndarray):
            constants[name] = Constant(given)
        elif given is not None:
            typed = given and isinstance(given[0], DType)
            specs[name] = TensorSpec(given[1], given[0]) if typed else TensorSpec(given)
        names.append(name)
    node = make_node(op, names, [f"out{i}" for i in range(outputs)], "the node", **attrs)
    node = settle_node(node, specs, constants)
    return list(infer_node(node, specs, constants))


IMAGE = (1, 4, 6, 6)


def pooled(**changes: Any) -> dict[str, Any]:
    base = {"kernel_shape": (2, 2), "strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}
    return {**base, **changes}


def windowed(**changes: Any) -> dict[str, Any]:
    return {k: v for k, v in pooled(**changes).items() if k != "kernel_shape"}


UNPOOL = ("kernel_shape", "strides", "pads")
FLOATS = np.array([1.0, 1.0, 2.0], np.float32)
BAD: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("MaxPool", (IMAGE,), pooled(strides=(0, 1))),
    ("MaxPool", (IMAGE,), pooled(strides=(1, -1))),
    ("MaxPool", (IMAGE,), pooled(strides=(1,))),
    ("MaxPool", (IMAGE,), pooled(kernel_shape=(7, 2))),
    ("MaxPool", (IMAGE,), pooled(kernel_shape=(2,))),
    ("MaxPool", (IMAGE,), pooled(kernel_shape=(0, 2))),
    ("MaxPool", (IMAGE,), pooled(kernel_shape=(2,), auto_pad="SAME_UPPER")),
    ("MaxPool", (IMAGE,), pooled(strides=(0, 1), auto_pad="SAME_UPPER")),
    ("MaxPool", (IMAGE,), pooled(auto_pad="SIDEWAYS")),
    ("MaxPool", (IMAGE,), pooled(pads=(0, 0))),
    ("MaxPool", (IMAGE,), pooled(pads=(-1, 0, 0, 0))),
    ("MaxPool", (IMAGE,), pooled(pad_mode="mirror")),
    ("MaxPool", ((1, 3, 0, 4),), pooled(pads=(1, 0, 1, 0), pad_mode="reflect")),
    ("MaxPool", (IMAGE,), pooled(kernel_shape=(99, 2), strides=(2, 1), ceil_mode=1)),
    ("MaxPool", ((3, 4),), pooled()),
    ("MaxPool", ((),), pooled()),
    ("MaxPool", ((DType.BOOL, IMAGE),), pooled()),
    ("AveragePool", (IMAGE,), pooled(dilations=(6, 1))),
    ("AveragePool", ((I64, IMAGE),), pooled()),
    ("LpPool", (IMAGE,), pooled(p=0)),
    ("GlobalAveragePool", ((3, 4),), {}),
    ("GlobalMaxPool", ((1, 3, 0, 4),), {}),
    ("Conv", (IMAGE, (3, 4, 3, 3)), windowed(strides=(1,), auto_pad="SAME_UPPER")),
    ("Conv", (IMAGE, (3, 4, 3)), windowed(auto_pad="SAME_UPPER")),
    ("ConvTranspose", (IMAGE, (4, 3, 3)), windowed()),
    ("ConvTranspose", (IMAGE, (5, 3, 3, 3)), windowed()),
    ("ConvTranspose", (IMAGE, (4, 3, 3, 3)), windowed(group=3)),
    ("ConvTranspose", (IMAGE, (4, 3, 3, 3)), windowed(group=0)),
    ("ConvTranspose", (IMAGE, (4, 3, 3, 3), (4,)), windowed()),
    ("ConvTranspose", (IMAGE, (4, 3, 3, 3)), windowed(pads=(4, 4, 4, 4))),
    ("ConvTranspose", (IMAGE, (4, 3, 3, 3)), windowed(strides=(0, 1))),
    ("ConvTranspose", (IMAGE, (4, 3, 3, 3)), windowed(output_padding=(-1, 0))),
    ("ConvTranspose", (IMAGE, (4, 3, 3, 3)), windowed(output_padding=(1,))),
    ("ConvTranspose", (IMAGE, (4, 3, 3, 3)), windowed(output_shape=(9,))),
    ("ConvTranspose", (IMAGE, (4, 3, 3, 3)), windowed(output_shape=(0, 9))),
    ("ConvTranspose", ((4, 4), (4, 4)), windowed()),
    ("Gemm", ((3, 4), (5, 6)), {}),
    ("Gemm", ((3, 4), (4,)), {}),
    ("Gemm", ((3, 4), (4, 5), (4, 5)), {}),
    ("Gemm", ((3, 4), (4, 5), (1, 3, 5)), {}),
    ("Gemm", ((3, 4), (I64, (4, 5))), {}),
    ("MatMul", ((3, 4), (3, 4)), {}),
    ("MatMul", ((), (3, 4)), {}),
    ("MatMul", ((2, 3, 4), (3, 4, 5)), {}),
    ("BatchNormalization", (IMAGE, (4,), (4,), (4,), (3,)), {}),
    ("BatchNormalization", ((4,), (4,), (4,), (4,), (4,)), {}),
    ("BatchNormalization", (IMAGE, (4,), (4,), (4,), (3,)), {"training_mode": 1}),
    ("BatchNormalization", ((0, 4, 3), (4,), (4,), (4,), (4,)), {"training_mode": 1}),
    ("BatchNormalizationGradient", (IMAGE, (2, 4, 1), (4,), (4,), (4,)), {}),
    ("Dropout", (IMAGE, (2,)), {}),
    ("LRN", (IMAGE,), {"size": 0}),
    ("GroupNormalization", (IMAGE, (4,), (4,)), {"num_groups": 3}),
    ("GroupNormalization", (IMAGE, (4,), (4,)), {"num_groups": 0}),
    ("InstanceNormalization", ((3, 4), (4,), (4,)), {}),
    ("LayerNormalization", (IMAGE, (5,)), {}),
    ("LayerNormalization", (IMAGE, (6,)), {"axis": 4}),
    ("LayerNormalization", ((), ()), {}),
    ("LpNormalization", (IMAGE,), {"p": 3}),
    ("MeanVarianceNormalization", ((3, 4),), {}),
    ("ReduceSum", (IMAGE, V([4])), {}),
    ("ReduceSum", (IMAGE, V([1, -3])), {}),
    ("ReduceMean", (IMAGE, (F, (1,))), {}),
    ("ArgMax", (IMAGE,), {"axis": 4}),
    ("ArgMax", ((3, 0),), {"axis": 1}),
    ("Softmax", (IMAGE,), {"axis": -5}),
    ("Softmax", ((I64, (3, 4)),), {}),
    ("Transpose", (IMAGE,), {"perm": (0, 1, 2)}),
    ("Transpose", (IMAGE,), {"perm": (0, 1, 1, 3)}),
    ("Concat", ((2, 3), (2, 4)), {"axis": 0}),
    ("Concat", ((2, 3), (2, 3, 1)), {"axis": 0}),
    ("Concat", ((2, 3), (I64, (2, 3))), {"axis": 0}),
    ("Concat", ((2, 3), (2, 3)), {"axis": 2}),
    ("Split", ((7, 3), V([3, 3])), {"outputs": 2}),
    ("Split", ((7, 3), V([3, 4])), {"outputs": 3}),
    ("Split", ((7, 3), V([8, -1])), {"outputs": 2}),
    ("Split", ((5, 3),), {"outputs": 4, "num_outputs": 4}),
    ("Split", ((7, 3),), {"axis": 2, "outputs": 2}),
    ("Slice", ((5, 7), V([0]), V([1, 2])), {}),
    ("Slice", ((5, 7), V([0]), V([1]), V([2])), {}),
    ("Slice", ((5, 7), V([0]), V([1]), V([0]), V([0])), {}),
    ("Slice", ((5, 7), V([0, 0]), V([1, 1]), V([0, -2])), {}),
    ("Slice", ((5, 7), V([0, 0, 0]), V([1, 1, 1])), {}),
    ("Expand", ((3, 4), V([2, 3, 5])), {}),
    ("Expand", ((3, 4), V([-1, 4])), {}),
    ("Expand", ((3, 4), V([[3, 4]])), {}),
    ("Tile", ((3, 4), V([2])), {}),
    ("Tile", ((3, 4), V([2, -1])), {}),
    ("Pad", ((3, 4), V([1, 1])), {}),
    ("Pad", ((3, 4), V([1, 1, 1, 1])), {"mode": "mirror"}),
    ("Pad", ((3, 4), V([1, 0, -3, 0])), {"mode": "reflect"}),
    ("Pad", ((3, 0), V([0, 1, 0, 0])), {"mode": "wrap"}),
    ("Pad", ((3, 4), V([-2, 0, -2, 0])), {}),
    ("Pad", ((3, 4), V([1, 1]), None, V([2])), {}),
    ("Pad", ((3, 4), V([1, 1, 1, 1]), (2,)), {}),
    ("Pad", ((0, 4), V([1, 0, 0, 0])), {"mode": "edge"}),
    ("CenterCropPad", ((3, 4), V([3])), {}),
    ("CenterCropPad", ((3, 4), V([3, -4])), {}),
    ("DepthToSpace", ((1, 6, 2, 2),), {"blocksize": 2}),
    ("DepthToSpace", ((1, 4, 2, 2),), {"blocksize": 0}),
    ("DepthToSpace", ((4, 2, 2),), {"blocksize": 2}),
    ("SpaceToDepth", ((1, 4, 3, 2),), {"blocksize": 2}),
    ("Trilu", ((3,),), {}),
    ("ReverseSequence", ((3, 4), V([1, 2, 3])), {}),
    ("ReverseSequence", ((3, 2), V([1, 4])), {}),
    ("CumSum", ((3, 4), np.array(2)), {}),
    ("CumSum", ((3, 4), V([0, 1])), {}),
    ("Gather", ((3, 4), (F, (2,))), {}),
    ("Gather", ((3, 4), V([3])), {}),
    ("Gather", ((), V([0])), {}),
    ("GatherElements", ((3, 4), (I64, (3, 4, 1))), {}),
    ("GatherElements", ((3, 4), (I64, (3, 5))), {}),
    ("GatherND", ((3, 4), (I64, (2, 3))), {}),
    ("GatherND", ((3, 4), (I64, (2, 1))), {"batch_dims": 1}),
    ("OneHot", ((I64, (3,)), V([0]), (F, (2,))), {}),
    ("OneHot", ((I64, (3,)), V([4]), (F, (3,))), {}),
    ("ScatterElements", ((3, 4), (I64, (2, 2)), (2, 3)), {}),
    ("ScatterElements", ((3, 4), (I64, (2, 2)), (2, 2)), {"reduction": "mean"}),
    ("ScatterElements", ((3, 4), (I64, (2, 5)), (2, 5)), {}),
    ("ScatterND", ((3, 4), (I64, (2, 1)), (2, 3)), {}),
    ("ScatterND", ((3, 4), (I64, (2, 3)), (2,)), {}),
    ("TopK", ((3, 4), V([5])), {}),
    ("TopK", ((3, 4), V([-1])), {}),
    ("TopK", ((3, 4), V([1, 1])), {}),
    ("Reshape", ((3, 4), V([5, -1])), {}),
    ("Reshape", ((3, 4), V([5, 3])), {}),
    ("Reshape", ((3, 4), V([-1, -1])), {}),
    ("Reshape", ((3, 4), V([-2, 6])), {}),
    ("Reshape", ((3, 4), V([3, 4, 0])), {}),
    ("Reshape", ((0, 4), V([0, -1])), {"allowzero": 1}),
    ("Flatten", ((3, 4),), {"axis": 3}),
    ("Squeeze", ((1, 4), V([1])), {}),
    ("Squeeze", ((1, 4), V([0, -2])), {}),
    ("Unsqueeze", ((3, 4), V([4])), {}),
    ("Unsqueeze", ((3, 4), V([0, 0])), {}),
    ("ConstantOfShape", (V([-1]),), {}),
    ("ConstantOfShape", (V([2]),), {"dtype": "complex64"}),
    ("Range", (V([0]), V([4]), V([0])), {}),
    ("EyeLike", ((3,),), {}),
    ("Cast", ((3,),), {"to": "string"}),
    ("Resize", (IMAGE,), {}),
    ("Resize", (IMAGE, None, FLOATS), {}),
    ("Resize", (IMAGE, None, -np.ones(4, np.float32)), {}),
    ("Resize", (IMAGE, None, np.full(4, np.nan, np.float32)), {}),
    ("Resize", (IMAGE, None, np.full(4, 0.1, np.float32)), {}),
    ("Resize", (IMAGE, None, np.ones(4, np.float32), V([1, 4, 6, 6])), {}),
    ("Resize", (IMAGE, None, None, V([1, 4, 6])), {}),
    ("Resize", (IMAGE, None, None, V([1, 4, 6, 0])), {}),
    ("Resize", (IMAGE, None, None, V([6, 6])), {"axes": (2, 2)}),
    ("Resize", (IMAGE, None, None, V([1, 4, 6, 6])), {"mode": "area"}),
    (
        "Resize",
        (IMAGE, None, None, V([1, 4, 6, 6])),
        {"coordinate_transformation_mode": "tf_crop_and_resize"},
    ),
    ("GridSample", (IMAGE, (1, 5, 5, 3)), {}),
    ("GridSample", (IMAGE, (1, 5, 5, 2)), {"mode": "area"}),
    ("AffineGrid", ((1, 2, 3), V([1, 3, 4])), {}),
    ("RoiAlign", (IMAGE, (5, 4), (I64, (4,))), {}),
    ("RoiAlign", (IMAGE, (1, 4), V([1])), {}),
    ("DeformConv", (IMAGE, (3, 4, 3, 3), (1, 18, 6, 6)), windowed()),
    ("LSTM", ((5, 2, 3), (1, 16, 3), (1, 12, 4)), {}),
    ("LSTM", ((5, 2, 3), (1, 16, 3), (1, 16, 4)), {"direction": "sideways"}),
    ("GRU", ((5, 2, 3), (1, 12, 3), (1, 12, 4)), {"hidden_size": 5}),
    ("RNN", ((5, 2, 3), (1, 4, 3), (1, 4, 4)), {"activations": ("Cube",)}),
    ("RNN", ((5, 2, 3), (1, 4, 3), (1, 4, 4), None, V([6, 1])), {}),
    ("Einsum", ((3, 4), (5, 6)), {"equation": "ij,jk->ik"}),
    ("Einsum", ((3, 4),), {"equation": "ijk->i"}),
    ("Einsum", ((3, 4),), {"equation": "ij->k"}),
    ("MaxUnpool", (IMAGE, (I64, (1, 4, 6, 5))), {k: pooled()[k] for k in UNPOOL}),
    ("Col2Im", ((1, 5, 5), V([5, 5]), V([2, 2])), {}),
    ("QuantizeLinear", (IMAGE, (3,), (DType.INT8, (3,))), {}),
    ("DequantizeLinear", (IMAGE, ()), {}),
    ("QuantizeLinear", ((3, 10), (3, 4)), {"block_size": 4}),
    ("ConvInteger", ((DType.UINT8, IMAGE), (DType.UINT8, (3, 5, 3, 3))), windowed()),
    ("MatMulInteger", ((DType.UINT8, (3, 4)), (DType.UINT8, (5, 6))), {}),
    ("NonMaxSuppression", ((1, 6, 4), (1, 2, 5)), {}),
    ("Compress", ((3, 4), np.array([1, 0])), {}),
    ("Compress", (np.ones((3, 4)), np.ones(5, np.bool_)), {"axis": 1}),
    ("Unique", (np.ones(3),), {"axis": 1}),
]


@pytest.mark.parametrize(
    ("op", "inputs", "attrs"), BAD, ids=lambda v: v if isinstance(v, str) else ""
)
def test_impossible_nodes_are_refused(op: str, inputs: Any, attrs: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match=rf"the node.*{op}"):
        attempt(op, *inputs, **attrs)


@pytest.mark.parametrize(
    ("op", "inputs", "index"),
    [
        ("Reshape", ((3, 4), (I64, (2,))), 1),
        ("ReduceSum", (IMAGE, (I64, (1,))), 1),
        ("Slice", ((5,), V([0]), (I64, (1,))), 2),
        ("Resize", (IMAGE, None, (4,)), 2),
        ("TopK", ((3, 4), (I64, (1,))), 1),
        ("NonZero", ((3, 4),), 0),
        ("Compress", ((3, 4), np.ones(2, np.bool_)), 0),
    ],
)
def test_a_rule_that_needs_a_value_says_which(op: str, inputs: Any, index: int) -> None:
    with pytest.raises(NeedsValue) as caught:
        attempt(op, *inputs)
    assert caught.value.input_index == index


@pytest.mark.parametrize(
    ("op", "arrays"),
    [
        ("Gather", (np.ones((3, 4)), np.array([3]))),
        ("GatherElements", (np.ones((3, 4)), np.array([[-4, 0, 0, 0]]))),
        ("GatherND", (np.ones((3, 4)), np.array([[0, 4]]))),
        ("ScatterND", (np.ones((3, 4)), np.array([[3]]), np.ones((1, 4)))),
    ],
)
def test_an_index_out_of_range_at_run_time_is_an_input_error(op: str, arrays: Any) -> None:
    node = make_node(op, [f"in{i}" for i in range(len(arrays))], ["out"])
    with pytest.raises(InputError, match="outside"):
        evaluate_node(node, arrays)

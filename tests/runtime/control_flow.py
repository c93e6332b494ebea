"""What tests of If, Loop and Scan are made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.session.session import Session

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL

RNG = np.random.default_rng(5)

IMAGE = RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)

WEIGHT = RNG.standard_normal((3, 3, 3, 3)).astype(np.float32)

DEEP = [1, 3, "h", "w"]


def value(name: str, kind: int = FLOAT, shape: Any = None) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def graph(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    name: str = "g",
    **constants: np.ndarray,
) -> GraphProto:
    tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    return helper.make_graph(nodes, name, inputs, outputs, tensors)


def model(main: GraphProto) -> ModelProto:
    return helper.make_model(main, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def agree(proto: ModelProto, device: DeviceInfo, *runs: dict[str, np.ndarray]) -> Session:
    session = load(proto.SerializeToString(), device)
    known = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for feeds in runs:
        expected = known.run(None, feeds)
        found = session.run(feeds)
        assert len(expected) == len(found)
        for reference, result in zip(expected, found.values(), strict=True):
            assert result.dtype == reference.dtype
            assert result.shape == reference.shape
            np.testing.assert_allclose(result, reference, rtol=1e-4, atol=1e-5)
    return session

"""Networks that onnxruntime's own tools have quantised come out as onnxruntime computes them, a step or two apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnxruntime import quantization

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.frontend.layers import (
    Add,
    Conv2d,
    Dense,
    Flatten,
    GlobalAvgPool2d,
    HardSwish,
    MaxPool2d,
    Relu,
    Sequential,
)
from clconv.frontend.onnx.export.exporter import export_onnx
from clconv.runtime.check import relative_error
from tests.models.support import peer
from tests.peers import newer_onnxruntime

SHAPE = (2, 3, 33, 41)
STEPS = 3 / 255  # of the largest result: sums half-way between two steps may go to either


class Pictures(quantization.CalibrationDataReader):  # type: ignore[misc]
    """A few inputs from which the ranges are taken."""

    def __init__(self, name: str) -> None:
        rng = np.random.default_rng(5)
        self._left = iter([{name: rng.random(SHAPE, np.float32)} for _ in range(4)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


@pytest.fixture
def floats(tmp_path: Path) -> Path:
    """A network whose layers the tools quantise in all their ways."""
    depthwise = Sequential(Conv2d(24, 3, padding=1, groups=24), Relu(), Conv2d(24, 1))
    layers = Sequential(
        Conv2d(24, 3, 2, 1), Relu(), Add(depthwise, Sequential()), Conv2d(40, 3, padding=1), HardSwish(), MaxPool2d(3, 2, 1),
        Conv2d(48, 5, padding=2), Relu(), GlobalAvgPool2d(), Flatten(), Dense(10),
    )  # fmt: skip
    path = tmp_path / "floats.onnx"
    export_onnx(layers.build(SHAPE[1:], SHAPE[0]), path)
    return path


def quantised(floats: Path, way: str) -> Path:
    # Weights of 7 bits: onnxruntime's sums of two products saturate on processors without VNNI.
    path = floats.with_name(f"{way}.onnx")
    (fed,) = peer(floats).get_inputs()
    if way == "dynamic":
        quantization.quantize_dynamic(floats, path, reduce_range=True)
        return path
    quantization.quantize_static(
        floats, path, Pictures(fed.name), reduce_range=True, per_channel="channel" in way,
        quant_format=quantization.QuantFormat[way.split()[0]],
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
    )  # fmt: skip
    return path


@pytest.mark.parametrize(
    "way",
    [
        "QDQ",
        pytest.param("QOperator", marks=pytest.mark.slow),
        pytest.param("QDQ per channel", marks=pytest.mark.slow),
        "QOperator per channel",
        pytest.param("dynamic", marks=newer_onnxruntime("has no ConvInteger of int8")),
    ],
)
def test_a_quantised_network(device: DeviceInfo, floats: Path, way: str) -> None:
    model = quantised(floats, way)
    session, reference = load(model, device=device), peer(model)
    feeds = {reference.get_inputs()[0].name: np.random.default_rng(2).random(SHAPE, np.float32)}
    (expected,) = reference.run(None, feeds)
    (found,) = session.run(feeds).values()
    assert relative_error(found, np.asarray(expected)) <= STEPS
    (exact,) = peer(floats).run(None, feeds)
    assert 1e-4 < relative_error(found, np.asarray(exact)) < 0.1, "as if nothing were quantised"
    run = session.prepare({name: SHAPE for name in feeds}).plan
    # Pairs of words save fewer products than Winograd's floats, which most of this network is left to.
    dynamic = way == "dynamic"
    on_bytes = session.device.dot_verified and (dynamic or session.device.dot != "words")
    kinds = ("ByteConv",) if not dynamic else ("ByteConvToFloat", "ByteMatMulToFloat")
    kinds = kinds if on_bytes else ("Conv", "Gemm", "MatMul")
    assert len([n.op for n in run.graph.nodes if n.op in kinds]) == 6
    between = [n.op for n in run.graph.nodes if "Linear" in n.op]
    if on_bytes and dynamic:
        assert set(between) == {"DynamicQuantizeLinear"}
    elif on_bytes:
        assert len(between) <= 4, "floats between the layers"  # at both ends, and around HardSwish
    elif not dynamic:
        assert not between, "integers between the layers"

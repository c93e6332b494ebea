"""Networks of nets.py as onnxruntime's own tools quantise them to 8 bits."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

WAYS = ("QDQ", "QOperator")
_INPUTS = 4  # from which the ranges are taken


def quantised(model: Path, way: str) -> Path:
    """A model file beside the given one, made if it is not there: uint8 between layers, int8 weights with a scale for each
    filter."""
    target = model.with_name(f"{model.stem}_{way}_each.onnx")
    if target.exists():
        return target
    from onnxruntime import InferenceSession, quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    session = InferenceSession(str(model), providers=["CPUExecutionProvider"])
    shapes = {i.name: i.shape for i in session.get_inputs()}
    rng = np.random.default_rng(1)
    feeds = [
        {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        for _ in range(_INPUTS)
    ]

    class Inputs(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(feeds)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._left, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared, made = Path(folder) / "prepared.onnx", Path(folder) / "made.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared, made, Inputs(), quant_format=quantization.QuantFormat[way],
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            per_channel=True,
        )  # fmt: skip
        target.write_bytes(made.read_bytes())
    return target


def dynamic(model: Path) -> Path:
    """A model file beside the given one, made if it is not there: int8 weights; what goes into a product is quantised by its
    own range at a run."""
    target = model.with_name(f"{model.stem}_dynamic.onnx")
    if not target.exists():
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        with tempfile.TemporaryDirectory() as folder:
            prepared, made = Path(folder) / "prepared.onnx", Path(folder) / "made.onnx"
            quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
            quantization.quantize_dynamic(prepared, made, weight_type=quantization.QuantType.QInt8)
            target.write_bytes(made.read_bytes())
    return target

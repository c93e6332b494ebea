"""Runs a model on clconv and on onnxruntime and compares every output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import clconv
from clconv.device.info import DeviceInfo
from clconv.runtime.check import relative_error

TOLERANCE = 1e-4


def peer(model: Path | bytes) -> onnxruntime.InferenceSession:
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])


def peer_saturates() -> bool:
    """Whether onnxruntime's sums of products of uint8 and int8 saturate at 16 bits, as on processors without VNNI."""
    spec, constant = helper.make_tensor_value_info, numpy_helper.from_array
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    x, y = spec("x", TensorProto.UINT8, [8, 64]), spec("y", TensorProto.INT32, [8, 16])
    graph = helper.make_graph(
        [node], "g", [x], [y], [constant(np.full((64, 16), 127, np.int8), "w")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (sums,) = peer(model.SerializeToString()).run(None, {"x": np.full((8, 64), 255, np.uint8)})
    return bool((np.asarray(sums) != 64 * 255 * 127).any())


def agree(model: Path, feeds: dict[str, np.ndarray], device: DeviceInfo) -> dict[str, np.ndarray]:
    """clconv's outputs, after checking that onnxruntime's are the same."""
    found = clconv.load(model, device=device).run(feeds)
    compare(found, feeds, peer(model))
    return found


def compare(
    found: dict[str, np.ndarray],
    feeds: dict[str, np.ndarray],
    reference: onnxruntime.InferenceSession,
) -> None:
    names = [output.name for output in reference.get_outputs()]
    for name, expected in zip(names, reference.run(names, feeds), strict=True):
        assert found[name].dtype == expected.dtype
        error = relative_error(found[name], np.asarray(expected))
        assert error < TOLERANCE, f"output {name} differs by {error:.3g} of its largest value"


def photo(path: Path, height: int, width: int) -> np.ndarray:
    """An image as float32 (1, 3, height, width) in 0..1."""
    image = Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 255

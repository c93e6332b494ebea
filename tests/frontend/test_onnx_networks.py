"""Real networks: imported, specialised and run by the references, they answer as onnxruntime does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from clconv.frontend.onnx import export_onnx, import_onnx
from clconv.graph.ir import TensorSpec
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.graph.verify import verify
from tests.frontend.support import run_onnxruntime

SHARED = Path(__file__).parents[3] / "shared" / "models"

# file -> shape of the input; small where the network takes any size
SHARED_NETWORKS = {
    "digit_cnn.onnx": (3, 1, 28, 28),
    "blazeface_front_128.onnx": (1, 128, 128, 3),
    "mobilenetv2_imagenet.onnx": (1, 3, 224, 224),
    "demosaicnet_bayer_256.onnx": (1, 3, 256, 256),
    "realesr_animevideov3_x4_128.onnx": (1, 3, 128, 128),
}
OCR_NETWORKS = {
    "PP-OCRv6_det_small.onnx": (1, 3, 64, 128),
    "PP-OCRv6_rec_small.onnx": (1, 3, 48, 64),
    "ch_ppocr_mobile_v2.0_cls_mobile.onnx": (2, 3, 48, 96),
}
QUICK = ("digit_cnn.onnx", "blazeface_front_128.onnx", "PP-OCRv6_det_small.onnx")
# Minutes with naive references: imported, specialised and exported only.
TOO_SLOW = {"demosaicnet_bayer_256.onnx", "realesr_animevideov3_x4_128.onnx"}


def find(name: str) -> Path:
    if name in SHARED_NETWORKS:
        path = SHARED / name
    else:
        spec = importlib.util.find_spec("rapidocr")
        if spec is None or spec.origin is None:
            pytest.skip("the package rapidocr is not installed")
        path = Path(spec.origin).parent / "models" / name
    if not path.exists():
        pytest.skip(f"{name} is not on this machine")
    return path


def picture_of_text(shape: tuple[int, ...]) -> np.ndarray:
    pytest.importorskip("PIL")
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (shape[3], shape[2]), "white")
    ImageDraw.Draw(image).text((8, 14), "clconv 12", "black", ImageFont.load_default(24))
    pixels = np.asarray(image, np.float32).transpose(2, 0, 1)[None]
    return (pixels / 255 - 0.5) / 0.5


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in (*SHARED_NETWORKS, *OCR_NETWORKS)
    ],
)
def test_network(name):
    pytest.importorskip("onnxruntime")
    path = find(name)
    shape = {**SHARED_NETWORKS, **OCR_NETWORKS}[name]
    graph = import_onnx(path)
    (input_name,) = graph.inputs
    done = specialise(graph, {input_name: TensorSpec(shape)})
    assert done.cut is None
    verify(done.graph)
    values = np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)
    if "_det_" in name:  # on noise it finds nothing: probabilities of 1e-5 have no four digits
        values = picture_of_text(shape)
    feeds = {input_name: values}
    wanted = run_onnxruntime(path.read_bytes(), feeds)
    for output, expected in zip(graph.outputs, wanted, strict=True):
        assert done.graph.spec(output).shape == expected.shape
    answers = [run_onnxruntime(export_onnx(g), feeds) for g in (graph, done.graph)]
    if name not in TOO_SLOW:
        results = run_reference(done.graph, feeds)
        answers.append([results[n] for n in graph.outputs])
    for answer in answers:
        for found, expected in zip(answer, wanted, strict=True):
            error = np.abs(found.astype(np.float64) - expected).max() / np.abs(expected).max()
            assert error < 1e-4

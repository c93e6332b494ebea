"""The five real networks beside the checkout, on photos, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import clconv
from clconv.device.info import DeviceInfo
from clconv.graph.reference import run_reference
from clconv.runtime.check import relative_error
from tests.models.support import agree, photo

MEAN = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)


# Classes of ImageNet-1k: tabby, tiger cat, Egyptian cat; espresso, cup; moped, disk brake...
@pytest.mark.parametrize(
    ("image", "classes"),
    [
        ("chelsea.png", {281, 282, 285}),
        pytest.param("coffee.png", {967, 968, 504}, marks=pytest.mark.slow),
        pytest.param("motorcycle_left.png", {665, 670}, marks=pytest.mark.slow),
    ],
)
def test_mobilenet_names_what_is_in_the_photo(
    image: str, classes: set[int], device: DeviceInfo, shared_models: Path, shared_images: Path
) -> None:
    x = (center_crop(shared_images / image) - MEAN) / DEVIATION
    outputs = agree(
        shared_models / "mobilenetv2_imagenet.onnx", {"input": x.astype(np.float32)}, device
    )
    (logits,) = outputs.values()
    assert int(np.argmax(logits)) in classes


def center_crop(path: Path) -> np.ndarray:
    """ImageNet's usual view: shorter side to 256, the middle 224 x 224."""
    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize(
        (round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR
    )
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    cropped = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
    return cropped.transpose(2, 0, 1)[None] / 255


def test_digit_cnn_at_several_batch_sizes(device: DeviceInfo, shared_models: Path) -> None:
    rng = np.random.default_rng(0)
    for batch in (1, 3):
        x = rng.random((batch, 1, 28, 28), dtype=np.float32)
        agree(shared_models / "digit_cnn.onnx", {input_name(shared_models, "digit_cnn"): x}, device)


@pytest.mark.slow
def test_blazeface(device: DeviceInfo, shared_models: Path, shared_images: Path) -> None:
    x = photo(shared_images / "astronaut.png", 128, 128).transpose(0, 2, 3, 1)
    x = np.ascontiguousarray(x) * 2 - 1
    agree(shared_models / "blazeface_front_128.onnx", {"input:0": x}, device)


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("demosaicnet_bayer_256", 256),
        pytest.param("realesr_animevideov3_x4_128", 128, marks=pytest.mark.slow),
    ],
)
def test_image_to_image(
    model: str, size: int, device: DeviceInfo, shared_models: Path, shared_images: Path
) -> None:
    x = photo(shared_images / "coffee.png", size, size)
    agree(shared_models / f"{model}.onnx", {input_name(shared_models, model): x}, device)


def input_name(folder: Path, model: str) -> str:
    from clconv.frontend.onnx import import_onnx

    return import_onnx(folder / f"{model}.onnx").inputs[0]


def test_every_value_inside_the_digit_cnn(device: DeviceInfo, shared_models: Path) -> None:
    """By the names of the file, against the reference of the graph as it was imported."""
    session = clconv.load(shared_models / "digit_cnn.onnx", device)
    graph = session.imported
    names = [o for node in graph.nodes for o in node.outputs]
    assert len(names) > len(session.graph.nodes) + 2
    ((name, _),) = session.inputs.items()
    x = np.random.default_rng(0).random((2, 1, 28, 28), dtype=np.float32)
    found = session.activations(x, names)
    expected = run_reference(graph.replace(outputs=tuple(names)), {name: x})
    for value in names:
        assert relative_error(found[value], expected[value]) < 2e-5, value

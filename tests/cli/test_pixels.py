"""Pictures become the tensors that the options say, and come back."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from clconv.cli.pixels import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Pixels,
    choose_pixels,
    from_tensor,
    is_classifier,
    place,
    to_tensor,
)
from clconv.errors import ConfigError, InputError
from clconv.graph.ir import DType, TensorSpec

NCHW = TensorSpec((1, 3, 4, 6))
RNG = np.random.default_rng(0)


def random_picture(height: int, width: int, mode: str = "RGB") -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8)).convert(mode)


def test_bytes_become_values_by_scale_mean_and_deviation() -> None:
    picture = random_picture(4, 6)
    pixels = Pixels(1 / 255, (0.5, 0.25, 0.0), (0.5, 1.0, 2.0))
    found = to_tensor(picture, place("x", NCHW, (4, 6), "auto", None), pixels, DType.FLOAT32)
    values = np.asarray(picture, np.float64) / 255
    expected = ((values - [0.5, 0.25, 0.0]) / [0.5, 1.0, 2.0]).transpose(2, 0, 1)[None]
    assert found.shape == (1, 3, 4, 6) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.array_equal(np.asarray(from_tensor(found, pixels)), np.asarray(picture))


@pytest.mark.parametrize(
    ("spec", "layout", "size", "shape"),
    [
        (TensorSpec((1, 3, 4, 6)), "auto", None, (1, 3, 4, 6)),
        (TensorSpec((1, 4, 6, 3)), "auto", None, (1, 4, 6, 3)),
        (TensorSpec(("N", 1, None, None)), "auto", None, (1, 1, 20, 30)),
        (TensorSpec((None, None, "H", "W")), "auto", (8, 10), (1, 3, 8, 10)),
        (TensorSpec((1, 3, 3, 3)), "nhwc", None, (1, 3, 3, 3)),
        (TensorSpec((1, "H", "W", 4)), "auto", (8, 10), (1, 8, 10, 4)),
    ],
)
def test_placement(
    spec: TensorSpec, layout: str, size: tuple[int, int] | None, shape: tuple[int, ...]
) -> None:
    placement = place("x", spec, (20, 30), layout, size)
    assert placement.shape == shape
    array = to_tensor(random_picture(20, 30), placement, Pixels(1.0), DType.UINT8)
    assert array.shape == shape and array.dtype == np.uint8


@pytest.mark.parametrize(
    "spec", [TensorSpec((1, 5, 8, 8)), TensorSpec((2, 3, 8, 8)), TensorSpec((3, 8))]
)
def test_inputs_that_take_no_picture(spec: TensorSpec) -> None:
    with pytest.raises(InputError, match=r"\.npy"):
        place("x", spec, (8, 8), "auto", None)


@pytest.mark.parametrize(
    ("shape", "layout", "hint"),
    [
        ((1, 8, 9, 3), "nchw", "try --layout nhwc, or pass"),
        ((1, 3, 9, 8), "nhwc", "try --layout nchw, or pass"),
        ((1, 8, 9, 8), "nchw", "1, 3 or 4; pass"),
        ((1, 8, 9, 8), "auto", "1, 3 or 4; pass"),
    ],
)
def test_another_layout_is_named_where_it_helps(
    shape: tuple[int, ...], layout: str, hint: str
) -> None:
    with pytest.raises(InputError, match=hint):
        place("x", TensorSpec(shape), (8, 8), layout, None)


def test_the_middle_is_cut_out() -> None:
    columns = np.tile(np.arange(40, dtype=np.uint8)[None, :, None], (10, 1, 3))
    placement = place("x", TensorSpec((1, 3, 10, 10)), (10, 40), "auto", None)
    found = to_tensor(Image.fromarray(columns), placement, Pixels(1.0), DType.FLOAT32)
    np.testing.assert_allclose(found[0, 0, 0], np.arange(15, 25), atol=1)


def test_what_suits_the_model() -> None:
    image = TensorSpec((1, 3, 224, 224))
    assert choose_pixels(image, True, None, None, None).mean == IMAGENET_MEAN
    assert choose_pixels(image, True, None, None, None).std == IMAGENET_STD
    assert choose_pixels(image, True, None, (0.5,), None) == Pixels(
        1 / 255, (0.5,), (1.0,), 256 / 224
    )
    assert choose_pixels(image, False, None, None, None) == Pixels(1 / 255)
    as_bytes = TensorSpec((1, 3, 224, 224), DType.UINT8)
    assert choose_pixels(as_bytes, False, None, None, None).scale == 1
    assert is_classifier({"y": TensorSpec(("N", 1000))})
    assert not is_classifier({"y": TensorSpec((1, 10))})
    assert not is_classifier({"y": None})
    assert not is_classifier({"y": TensorSpec((1, 1000)), "z": TensorSpec((1, 1000))})
    with pytest.raises(ConfigError, match="zero"):
        choose_pixels(image, False, None, None, (0.0,))


def test_channels_and_values_must_agree() -> None:
    placement = place("x", NCHW, (4, 6), "auto", None)
    with pytest.raises(ConfigError, match="--mean"):
        to_tensor(random_picture(4, 6), placement, Pixels(1.0, (1.0, 2.0)), DType.FLOAT32)
    with pytest.raises(InputError, match="no picture"):
        from_tensor(np.zeros((1, 10), np.float32), Pixels(1.0))


def test_values_outside_are_cut_and_nothing_else_is() -> None:
    values = np.array([-1.0, 0.0, 0.5, 1.0, 7.0, np.nan], np.float32).reshape(1, 1, 1, 6)
    found = np.asarray(from_tensor(values, Pixels(1 / 255)))
    assert found.tolist() == [[0, 0, 128, 255, 255, 0]]

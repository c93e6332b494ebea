"""clconv.layers: the arithmetic of windows, and what each layer makes."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.errors import ConfigError, ShapeError
from clconv.frontend import layers
from clconv.frontend.layers import (
    AvgPool2d,
    BatchNorm2d,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Elu,
    Flatten,
    LeakyRelu,
    LocalResponseNorm,
    MaxPool2d,
    PRelu,
    Relu,
    Relu6,
    Sequential,
    Softmax,
    Upsample,
)
from tests.frontend.layer_support import image, parameters, run, volume

# the arithmetic


@pytest.mark.parametrize(("stride", "size"), [(1, 5), (2, 3)])
def test_3x3_filters_over_7x7(stride, size):
    assert volume(Conv2d(1, 3, stride), 1, 7, 7) == (1, size, size)


def test_stride_3_over_7x7_does_not_fit():
    with pytest.raises(ShapeError) as caught:
        Conv2d(1, 3, stride=3, name="stem").build((1, 7, 7))
    message = str(caught.value)
    assert "layer 'stem': height (7 - 3 + 2*0) / 3 + 1 = 2.33 is no whole number" in message
    assert "sizes: 6, 9" in message
    assert "strides: 1, 2, 4" in message
    assert "paddings: 1, 4" in message
    assert 'padding="same"' in message and 'rounding="floor"' in message


@pytest.mark.parametrize(
    "cure",
    [
        ((1, 6, 6), Conv2d(1, 3, 3)),
        ((1, 9, 9), Conv2d(1, 3, 3)),
        ((1, 7, 7), Conv2d(1, 3, 4)),
        ((1, 7, 7), Conv2d(1, 3, 3, padding=1)),
        ((1, 7, 7), Conv2d(1, 3, 3, padding=4)),
        ((1, 7, 7), Conv2d(1, 3, 3, padding="same")),
        ((1, 7, 7), Conv2d(1, 3, 3, rounding="floor")),
    ],
)
def test_every_cure_that_the_error_names_works(cure):
    shape, layer = cure
    assert len(volume(layer, *shape)) == 3


def test_the_axis_and_uneven_padding_are_named():
    with pytest.raises(ShapeError, match=r"width \(8 - 3 \+ 2\*1\) / 2 \+ 1 = 4.50"):
        Conv2d(1, 3, 2, padding=((1, 1), (1, 1))).build((1, 7, 8))
    with pytest.raises(ShapeError, match=r"height \(7 - 3 \+ 0 \+ 1\) / 2 \+ 1 = 3.50"):
        Conv2d(1, 3, 2, padding=((0, 1), (0, 0))).build((1, 7, 7))


def test_padding_1_keeps_7x7():
    assert volume(Conv2d(1, 3, padding=1), 1, 7, 7) == (1, 7, 7)


def test_ten_5x5_filters_over_32x32x3():
    graph = Conv2d(10, 5, stride=1, padding=2).build((3, 32, 32))
    assert run(graph, image(3, 32, 32)).shape == (1, 10, 32, 32)
    assert parameters(graph) == 760


def test_a_filter_spans_the_full_depth():
    for depth in (1, 3, 11):
        graph = Conv2d(4, 5).build((depth, 5, 5))
        assert graph.constants["conv2d_1.weight"].spec.shape == (4, depth, 5, 5)
        weights, bias = (graph.constants[f"conv2d_1.{n}"].array for n in ("weight", "bias"))
        x = image(depth, 5, 5)
        expected = (weights * x).sum((1, 2, 3), dtype=np.float64) + bias
        np.testing.assert_allclose(run(graph, x).reshape(-1), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pool", [MaxPool2d, AvgPool2d])
def test_pooling_leaves_depth_alone(pool):
    for depth in (1, 3, 64):
        assert volume(pool(2), depth, 8, 6) == (depth, 4, 3)
    assert parameters(pool(2).build((3, 4, 4))) == 0


def test_different_strides_across_and_down():
    assert volume(Conv2d(2, (3, 5), stride=(2, 3)), 1, 7, 11) == (2, 3, 3)
    assert volume(MaxPool2d((1, 2), stride=(1, 2)), 3, 5, 8) == (3, 5, 4)
    assert volume(Conv2d(2, 3, padding=(1, 0)), 1, 7, 7) == (2, 7, 5)


def test_max_pooling_without_and_with_overlap():
    x = image(1, 4, 4)
    plain = run(MaxPool2d(2).build((1, 4, 4)), x)
    np.testing.assert_array_equal(plain[0, 0], x[0, 0].reshape(2, 2, 2, 2).max((1, 3)))
    x = image(1, 5, 5)
    overlapping = run(MaxPool2d(3, stride=2).build((1, 5, 5)), x)
    expected = [[x[0, 0, i : i + 3, j : j + 3].max() for j in (0, 2)] for i in (0, 2)]
    np.testing.assert_array_equal(overlapping[0, 0], expected)


def test_dense_over_3072_values():
    graph = Dense(10).build((3, 32, 32))
    assert graph.constants["dense_1.weight"].spec.shape == (10, 3072)
    x = image(3, 32, 32)
    weights, bias = (graph.constants[f"dense_1.{n}"].array for n in ("weight", "bias"))
    expected = weights.astype(np.float64) @ x.reshape(-1) + bias
    np.testing.assert_allclose(run(graph, x)[0], expected, rtol=1e-4, atol=1e-5)
    assert parameters(graph) == 3072 * 10 + 10


def test_stride_2_and_pooling_both_halve():
    assert volume(Conv2d(3, 2, stride=2), 3, 32, 32) == (3, 16, 16)
    assert volume(Conv2d(3, 3, stride=2, padding="same"), 3, 32, 32) == (3, 16, 16)
    assert volume(Conv2d(3, 3, stride=2, padding=1, rounding="floor"), 3, 32, 32) == (3, 16, 16)
    assert volume(MaxPool2d(2), 3, 32, 32) == (3, 16, 16)


def test_a_window_larger_than_the_image():
    with pytest.raises(
        ShapeError, match=r"\(2 - 5 \+ 2\*0\) / 1 \+ 1 is less than one window"
    ) as e:
        Conv2d(1, 5).build((1, 2, 9))
    assert "sizes: 5, 6" in str(e.value) and "paddings: 2, 3, 4, 5" in str(e.value)
    assert "rounding" not in str(e.value)


def test_pooling_that_does_not_fit_and_its_roundings():
    with pytest.raises(ShapeError, match=r"\(7 - 2 \+ 2\*0\) / 2 \+ 1 = 3.50 is no whole number"):
        MaxPool2d(2).build((1, 7, 7))
    assert volume(MaxPool2d(2, rounding="floor"), 1, 7, 7) == (1, 3, 3)
    assert volume(MaxPool2d(2, rounding="ceil"), 1, 7, 7) == (1, 4, 4)


@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [7, 8])
def test_same_makes_ceil_of_size_over_stride(window, stride, size):
    expected = -(-size // stride)
    assert volume(Conv2d(1, window, stride, "same"), 1, size, size) == (1, expected, expected)


def test_dilation_widens_the_window():
    assert volume(Conv2d(1, 3, dilation=2), 1, 7, 7) == (1, 3, 3)
    with pytest.raises(ShapeError, match=r"\(4 - 5 \+ 2\*0\)"):
        Conv2d(1, 3, dilation=2).build((1, 4, 4))


@pytest.mark.parametrize(
    ("mode", "numpy_mode"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]
)
def test_padding_modes(mode, numpy_mode):
    x = image(2, 5, 6)
    padded = Conv2d(3, 3, padding=1, padding_mode=mode).build((2, 5, 6))
    plain = Conv2d(3, 3).build((2, 7, 8))  # the same seed gives the same weights
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode=numpy_mode)
    np.testing.assert_array_equal(run(padded, x), run(plain, wide))


@pytest.mark.parametrize(("mode", "numpy_mode"), [("reflect", "reflect"), ("circular", "wrap")])
def test_padding_wider_than_the_image(mode, numpy_mode):
    x = image(1, 3, 2)
    padded = Conv2d(1, 3, padding=4, padding_mode=mode).build((1, 3, 2))
    plain = Conv2d(1, 3).build((1, 11, 10))  # the same seed gives the same weights
    wide = np.pad(x, ((0, 0), (0, 0), (4, 4), (4, 4)), mode=numpy_mode)
    np.testing.assert_allclose(run(padded, x), run(plain, wide), rtol=1e-5, atol=1e-6)


def test_ceil_lets_the_only_window_hang_over():
    assert volume(MaxPool2d(3, 2, rounding="ceil"), 1, 2, 2) == (1, 1, 1)
    with pytest.raises(ShapeError, match="larger than the 1 pixels"):
        MaxPool2d(3, 2, rounding="ceil").build((1, 1, 1))


# other layers


def test_groups_and_depthwise():
    graph = Conv2d(6, 3, padding=1, groups=3).build((3, 4, 4))
    assert parameters(graph) == 6 * 9 + 6
    with pytest.raises(ShapeError, match=r"4 channels do not divide into 3 groups.*1, 2"):
        Conv2d(6, 3, groups=3).build((4, 4, 4))
    with pytest.raises(ShapeError, match="5 filters do not divide into 2 groups"):
        Conv2d(5, 3, groups=2).build((4, 4, 4))


def test_one_dimension_and_transposed():
    assert volume(Conv1d(4, 3, padding=1), 2, 9) == (4, 9)
    assert volume(ConvTranspose2d(4, 2, stride=2), 3, 5, 6) == (4, 10, 12)
    assert volume(ConvTranspose2d(4, 3, 2, padding=1, output_padding=1), 3, 5, 6) == (4, 10, 12)


def test_upsample_repeats_pixels():
    x = image(2, 2, 3)
    result = run(Upsample(2).build((2, 2, 3)), x)
    np.testing.assert_array_equal(result, x.repeat(2, 2).repeat(2, 3))
    assert volume(Upsample((1, 3), "linear"), 2, 2, 3) == (2, 2, 9)


def test_dropout_and_an_empty_sequential_change_nothing():
    x = image(2, 3, 3)
    for layer in (Dropout(0.3), Sequential(), Sequential(Sequential(), Dropout())):
        np.testing.assert_array_equal(run(layer.build((2, 3, 3)), x), x)


ACTIVATIONS = [
    name
    for name in layers.__all__
    if issubclass(type(getattr(layers, name)), type)
    and getattr(layers, name).__module__.endswith("activation")
]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_keep_the_volume(name):
    assert volume(getattr(layers, name)(), 3, 4, 5) == (3, 4, 5)


def test_values_of_some_activations():
    x = image(3, 4, 4) * 9
    np.testing.assert_array_equal(run(Relu6().build((3, 4, 4)), x), x.clip(0, 6))
    np.testing.assert_allclose(run(Softmax().build((3, 4, 4)), x).sum(1), 1, rtol=1e-6)
    prelu = PRelu().build((3, 4, 4))
    slope = prelu.constants["prelu_1.weight"].array
    np.testing.assert_allclose(run(prelu, x), np.where(x < 0, x * slope, x), rtol=1e-6)


def test_local_response_norm_divides_by_neighbouring_channels():
    x = image(7, 2, 3) * 9
    layer = LocalResponseNorm(5, alpha=0.5, beta=0.75, k=2.0)
    squares = np.pad(x**2, ((0, 0), (2, 2), (0, 0), (0, 0)))
    sums = sum(squares[:, i : i + 7] for i in range(5))
    wanted = x / (2 + 0.5 / 5 * sums) ** 0.75
    np.testing.assert_allclose(run(layer.build((7, 2, 3)), x), wanted, rtol=1e-5)


def test_batch_norm_keeps_a_deep_network_alive():
    block = [Conv2d(8, 3, padding=1, bias=False), BatchNorm2d(), Relu()]
    result = run(Sequential(*block * 12).build((8, 8, 8)), image(8, 8, 8))
    assert 0.02 < np.abs(result).mean() < 20


def test_numpys_integers_are_numbers_like_any():
    number = np.int64
    network = Sequential(
        Conv2d(number(4), number(3), number(1), number(1)), MaxPool2d(number(2)), Flatten(), Dense(number(5))
    )  # fmt: skip
    graph = network.build((number(3), number(8), number(8)), number(2))
    assert str(graph) == str(
        Sequential(Conv2d(4, 3, 1, 1), MaxPool2d(2), Flatten(), Dense(5)).build((3, 8, 8), 2)
    )
    sizes = [size for spec in graph.specs.values() for size in spec.shape]
    assert {type(size) for size in sizes} == {int}
    with pytest.raises(ShapeError, match="batch 0 must be at least 1"):
        Relu().build((3, 8, 8), number(0))


@pytest.mark.parametrize(
    ("layer", "match"),
    [
        (lambda: BatchNorm2d(64), "epsilon 64 must be .* channels are not given"),
        (lambda: Softmax(1), r"Softmax.*: a name is a string, not 1"),
        (lambda: Relu(True), "a name is a string, not True"),
        (lambda: LeakyRelu("steep"), "slope 'steep' must be a finite number"),
        (lambda: Elu(float("nan")), "alpha nan"),
    ],
)
def test_arguments_as_pytorchs_layers_take_them_are_refused(layer, match):
    """They would be an epsilon or a name here."""
    with pytest.raises(ConfigError, match=match):
        layer().build((3, 4, 4))

"""clconv.layers: the arithmetic of windows, what layers make, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.errors import ConfigError, GraphError, ShapeError
from clconv.frontend import layers
from clconv.frontend.layers import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Channels,
    Concat,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    MaxPool2d,
    Multiply,
    Network,
    PRelu,
    Relu,
    Relu6,
    Sequential,
    Sigmoid,
    Softmax,
    Upsample,
    summary,
)
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.graph.specialise import specialise
from clconv.graph.summary import totals


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-1, 1, (1, *shape)).astype(np.float32)


def run(graph: Graph, x: np.ndarray) -> np.ndarray:
    """The network's result, after checking that it has the shape that was inferred."""
    result = run_reference(graph, {"input": x})["output"]
    assert result.shape == graph.specs["output"].shape
    assert np.isfinite(result).all()
    return result


def volume(layer: layers.Layer, *shape: int) -> tuple[int, ...]:
    """What a layer makes of a volume, both inferred and run."""
    return run(layer.build(shape), image(*shape)).shape[1:]


def parameters(graph: Graph) -> int:
    return totals(summary(graph))[0]


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


def test_reflection_needs_enough_pixels():
    with pytest.raises(ShapeError, match="reflect"):
        Conv2d(1, 3, padding=4, padding_mode="reflect").build((1, 3, 3))


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
    slope = prelu.constants["prelu_1.slope"].array
    np.testing.assert_allclose(run(prelu, x), np.where(x < 0, x * slope, x), rtol=1e-6)


def test_batch_norm_keeps_a_deep_network_alive():
    block = [Conv2d(8, 3, padding=1, bias=False), BatchNorm2d(), Relu()]
    result = run(Sequential(*block * 12).build((8, 8, 8)), image(8, 8, 8))
    assert 0.02 < np.abs(result).mean() < 20


# branches


def test_residual_and_concat():
    body = Sequential(Conv2d(4, 3, padding=1), Relu(), Conv2d(4, 3, padding=1))
    x = image(4, 6, 6)
    alone, summed = run(body.build((4, 6, 6)), x), run(Add(Sequential(), body).build((4, 6, 6)), x)
    np.testing.assert_allclose(summed, alone + x, rtol=1e-5, atol=1e-6)
    joined = run(Concat(Sequential(), body, Relu()).build((4, 6, 6)), x)
    np.testing.assert_array_equal(joined, np.concatenate([x, alone, x.clip(0)], 1))
    assert volume(Add(Relu(), Sigmoid(), Sequential()), 2, 3, 3) == (2, 3, 3)


def test_squeeze_and_excite():
    gate = Sequential(GlobalAvgPool2d(), Conv2d(4, 1), Sigmoid())
    assert volume(Multiply(Sequential(), gate), 4, 5, 5) == (4, 5, 5)


def test_channels_are_cut_out():
    x = image(6, 3, 3)
    np.testing.assert_array_equal(run(Channels(2, 5).build((6, 3, 3)), x), x[:, 2:5])
    with pytest.raises(ShapeError, match="channels 4 to 9 of a volume that has 0 to 6"):
        Channels(4, 9).build((6, 3, 3))


@pytest.mark.parametrize(
    ("join", "message"),
    [
        (Add(Conv2d(3, 1), Conv2d(4, 1)), r"equal volumes.*\(3, 5, 5\), \(4, 5, 5\)"),
        (Concat(Conv2d(3, 1), Conv2d(3, 3)), r"heights and widths.*\(3, 5, 5\), \(3, 3, 3\)"),
        (Multiply(Conv2d(3, 1), Conv2d(2, 1)), r"equal or 1.*\(3, 5, 5\), \(2, 5, 5\)"),
    ],
)
def test_branches_that_do_not_meet(join, message):
    with pytest.raises(ShapeError, match=message):
        join.build((2, 5, 5))


def test_network_with_shared_values_and_two_outputs():
    network = Network((3, 8, 8), seed=5)
    features = network(Sequential(Conv2d(4, 3, padding=1), Relu()), network.input)
    small = network(MaxPool2d(2), features)
    both = network(Concat(), features, network(Upsample(2), small))
    graph = network.graph(mask=network(Conv2d(1, 1), both), small=small, copy=small)
    results = run_reference(graph, {"input": image(3, 8, 8)})
    assert {n: v.shape for n, v in results.items()} == {
        "mask": (1, 1, 8, 8),
        "small": (1, 4, 4, 4),
        "copy": (1, 4, 4, 4),
    }
    with pytest.raises(ConfigError, match="no value 'nowhere'"):
        network(Relu(), "nowhere")
    with pytest.raises(ConfigError, match="Relu takes one value"):
        network(Relu(), small, both)
    with pytest.raises(ConfigError, match="'input' is taken"):
        network.graph(input=small)


# the graph


def test_seed_decides_the_weights_and_nothing_global():
    def weights(seed: int) -> np.ndarray:
        graph = Sequential(Conv2d(4, 3), Dense(2)).build((2, 5, 5), seed=seed)
        return np.concatenate([c.array.reshape(-1) for c in graph.constants.values()])

    np.random.seed(0)
    first = weights(1)
    np.random.seed(99)
    np.testing.assert_array_equal(first, weights(1))
    assert not np.array_equal(first, weights(2))


def test_he_initialisation():
    weights = Conv2d(256, 3).build((64, 3, 3)).constants["conv2d_1.weight"].array
    assert weights.dtype == np.float32
    assert abs(weights.std() / np.sqrt(2 / (64 * 9)) - 1) < 0.02


def test_an_open_batch():
    net = Sequential(Conv2d(4, 3), Relu(), Flatten(), Dense(3))
    graph = net.build((2, 5, 5), batch=None)
    assert graph.specs["input"].shape == ("N", 2, 5, 5) and "output" not in graph.specs
    x = np.concatenate([image(2, 5, 5)] * 3)
    after = run_passes(specialise(run_passes(graph), {"input": TensorSpec(x.shape)}).graph)
    assert after.specs["output"].shape == (3, 3)
    expected = run(net.build((2, 5, 5), batch=3), x)
    np.testing.assert_allclose(run(after, x), expected, rtol=1e-5, atol=1e-6)


def test_names():
    net = Sequential(Conv2d(2, 1, name="stem"), Conv2d(2, 1, name="stem"), Conv2d(2, 1))
    graph = net.build((1, 3, 3))
    assert [n.name for n in graph.nodes] == ["stem", "stem_1", "conv2d_1"]
    assert graph.inputs == ("input",) and graph.outputs == ("output",)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Conv2d(0, 3),
        lambda: Conv2d("ten", 3),
        lambda: Conv2d(1, 0),
        lambda: Conv2d(1, 3, stride=0),
        lambda: Conv2d(1, 3, stride=-1),
        lambda: Conv2d(1, 3, stride=1.5),
        lambda: Conv2d(1, (3, 3, 3)),
        lambda: Conv2d(1, 3, padding=-1),
        lambda: Conv2d(1, 3, padding="valid"),
        lambda: Conv2d(1, 3, padding=(1, 1, 1, 1)),
        lambda: Conv2d(1, 3, padding_mode="mirror"),
        lambda: Conv2d(1, 3, groups=0),
        lambda: Conv2d(1, 3, rounding="ceil"),
        lambda: MaxPool2d(2, rounding="up"),
        lambda: Upsample(0),
        lambda: Upsample(2, "quadratic"),
        lambda: Dropout(1.0),
        lambda: Dense(0),
        lambda: Sequential(Relu),
        lambda: Concat(Relu()).build((1, 2, 2)),
        lambda: layers.Gelu("erf"),
        lambda: Network((1, 2, 2)).graph(),
    ],
)
def test_options_that_mean_nothing(make):
    with pytest.raises(ConfigError):
        make()


@pytest.mark.parametrize("shape", [(), (0, 3, 3), (3, -1, 3), (3, 4.5, 3), ("x",)])
def test_input_shapes_that_mean_nothing(shape):
    with pytest.raises(ShapeError, match="input shape"):
        Relu().build(shape)


@pytest.mark.parametrize("layer", [Conv2d(1, 1), MaxPool2d(1), GlobalAvgPool2d(), Upsample()])
def test_layers_for_images_refuse_rows(layer):
    with pytest.raises(ShapeError, match=r"takes \(channels, height, width\), got \(7,\)"):
        layer.build((7,))


# the summary


def test_summary_counts_with_and_without_fusing():
    net = Sequential(
        Conv2d(10, 5, padding=2, name="conv"), Relu(), MaxPool2d(2), Dense(4, name="scores")
    )
    graph = net.build((3, 32, 32))
    rows = {row.name: row for row in summary(graph)}
    conv = rows["conv"]
    assert (conv.volume, conv.filters, conv.window) == ((10, 32, 32), 10, (5, 5))
    assert (conv.stride, conv.padding, conv.parameters) == ((1, 1), (2, 2, 2, 2), 760)
    assert conv.multiply_adds == 10 * 32 * 32 * 75
    assert rows["scores"].multiply_adds == 4 * 2560 and rows["scores"].filters == 4
    fused = summary(run_passes(graph))
    assert fused[0].epilogue == ("Relu",)
    assert totals(fused) == totals(rows.values())


def test_summary_counts_shared_and_measured_values_once():
    network = Network((2, 4, 4))
    x = network(BatchNorm2d(), network.input)
    assert totals(summary(network.graph(x)))[0] == 4
    graph = Conv2d(3, 1).build((2, 4, 4))
    (node,) = graph.nodes
    twin = type(node)("Conv", "twin", node.inputs, ("twin",), node.attrs)
    specs = {**graph.specs, "twin": graph.specs["output"]}
    doubled = graph.replace(nodes=(node, twin), specs=specs)
    assert [row.parameters for row in summary(doubled)] == [9, 0]


def test_summary_needs_known_shapes():
    with pytest.raises(GraphError, match="specialise"):
        summary(Conv2d(3, 1).build((2, 4, 4), batch=None))

"""clconv.layers: branches, the graph that comes out, what is refused, the summary."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.errors import ConfigError, GraphError, ShapeError
from clconv.frontend import layers
from clconv.frontend.layers import (
    Add,
    BatchNorm2d,
    Channels,
    Concat,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    MaxPool2d,
    Multiply,
    Network,
    Relu,
    Sequential,
    Sigmoid,
    Upsample,
    summary,
)
from clconv.graph.ir import TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.graph.summary import totals
from tests.frontend.layer_support import image, run, volume

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
        lambda: layers.LocalResponseNorm(0),
        lambda: layers.LocalResponseNorm(5, beta=-1),
        lambda: layers.LocalResponseNorm(5, k=float("nan")),
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
    opened = Conv2d(3, 1).build((2, 4, 4), batch=None)
    assert summary(opened)[0].output == (1, 3, 4, 4)  # only the batch is open
    tall = opened.replace(specs={"input": TensorSpec((1, 2, "h", 4))})
    with pytest.raises(GraphError, match="specialise"):
        summary(tall)

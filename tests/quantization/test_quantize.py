"""Networks in 8 bits: what is rounded, where ranges come from, and that other runtimes read the files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import clconv
from clconv import layers as L
from clconv.errors import ConfigError, InputError, UnsupportedError
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.reference import run_reference
from clconv.quantization import METHODS, Quantized, quantize
from clconv.quantization.points import find_points
from clconv.quantization.ranges import Range, find_ranges, observed
from clconv.quantization.report import Change
from tests.graph.graph_builder import Builder
from tests.models.support import peer, peer_saturates


def network() -> Graph:
    """A small classifier with a residual sum, a pool, a normalisation and a Softmax."""
    stem = L.Sequential(L.Conv2d(8, 3, padding=1), L.BatchNorm2d(), L.Relu())
    body = L.Conv2d(8, 3, padding=1)
    net = L.Sequential(
        stem, L.Add(body, L.Sequential()), L.Relu(), L.MaxPool2d(2), L.GlobalAvgPool2d(), L.Flatten(),
        L.Dense(5), L.Softmax(),
    )  # fmt: skip
    return net.build((3, 12, 12))


def samples(count: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    name = network().inputs[0]
    return [{name: rng.normal(0, 1, (1, 3, 12, 12)).astype(np.float32)} for _ in range(count)]


@pytest.fixture(scope="module")
def made() -> Quantized:
    return quantize(network(), samples(12))


def test_answers_stay_close(made: Quantized) -> None:
    (change,) = made.changes
    assert (made.products, made.of_products) == (3, 3)
    assert (made.calibrated, made.compared, made.held_out) == (9, 3, True)
    assert 25 < change.ratio < math.inf and change.agreement is not None
    ops = [node.op for node in made.graph.nodes]
    assert "BatchNormalization" not in ops and ops.count("QuantizeLinear") >= 6
    assert made.graph.outputs == network().outputs


def test_the_file_says_the_same(made: Quantized, tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    clconv.save(made.graph, path)
    assert b"QuantizeLinear" in path.read_bytes()
    (feeds,) = samples(1)
    (expected,) = run_reference(network(), feeds).values()
    (found,) = clconv.load(path).run(feeds).values()
    np.testing.assert_allclose(found, expected, atol=0.02)
    (other,) = peer(path).run(None, feeds)
    np.testing.assert_allclose(np.asarray(other), expected, atol=0.1 if peer_saturates() else 0.02)


def test_onnxruntime_reads_pools_between_products(tmp_path: Path) -> None:
    """It makes operators of its own of them, which have fewer attributes than ONNX's."""
    pools = (L.AvgPool2d(2), L.Conv2d(6, 3, padding=1), L.MaxPool2d(2), L.Conv2d(4, 3))
    graph = L.Sequential(L.Conv2d(8, 3, padding=1), L.Relu(), *pools).build((3, 12, 12))
    given = [{graph.inputs[0]: next(iter(sample.values()))} for sample in samples(3)]
    path = tmp_path / "int8.onnx"
    clconv.save(quantize(graph, given).graph, path)
    (expected,) = run_reference(graph, given[0]).values()
    (other,) = peer(path).run(None, given[0])
    np.testing.assert_allclose(np.asarray(other), expected, atol=0.1 * np.abs(expected).max())


@pytest.mark.parametrize("method", METHODS)
def test_ranges(method: str) -> None:
    rng = np.random.default_rng(0)
    values = [{"a": rng.normal(1, 1, 20000).astype(np.float32)} for _ in range(3)]
    values[1]["a"][7] = 1000  # an outlier
    values[0]["zeros"] = np.zeros(5, np.float32)
    found = find_ranges(observed(range(3), values.__getitem__), method, 99.9)
    assert found["zeros"].scale == 1 and found["zeros"].zero == 0
    if method == "minmax":
        assert found["a"] == Range(float(min(v["a"].min() for v in values)), 1000)
    elif method == "percentile":
        assert 3 < found["a"].high < 8 and -4 < found["a"].low < -2
    else:
        assert found["a"].high < 1000


def test_a_range_holds_zero() -> None:
    assert Range(2, 5.1).zero == 0 and Range(-5.1, -2).zero == 255
    assert Range(2, 5.1).scale == np.float32(0.02)
    assert Range(-1e-45, 1e-45).scale == 1


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ConfigError, match="choose one of minmax"):
        quantize(network(), samples(1), "nonsense")
    with pytest.raises(ConfigError, match="above 50"):
        quantize(network(), samples(1), "percentile", 20)
    with pytest.raises(InputError, match="no sample"):
        quantize(network(), [])
    for factor in (np.nan, np.inf):
        bad = [{name: a * factor for name, a in sample.items()} for sample in samples(2)]
        with pytest.raises(InputError, match=r"sample 2 of those given: its '.*' holds NaN or inf"):
            quantize(network(), [*samples(1), bad[1]])
    large = [{name: a * np.float32(1e38) for name, a in sample.items()} for sample in samples(1)]
    with pytest.raises(InputError, match="not finite"):
        quantize(network(), large)
    with pytest.raises(UnsupportedError, match="no convolution"):
        quantize(L.Sequential(L.Relu()).build((3, 4, 4)), [])


def test_what_is_rounded() -> None:
    b = Builder()
    x = b.input(1, 4, 8, 8)
    y = b.node("Relu", b.conv(x, 4, 4, out="sums"), out="y")
    z = b.conv(y, 4, 4, out="z")
    points = find_points(b.graph(b.node("Softmax", z, out="last"), z))
    assert points.rounded == ("x", "y")  # not before the Relu, nor what the network gives
    assert points.products == {"Conv0", "Conv2"}


def test_sizes_that_are_computed_stay_integers(tmp_path: Path) -> None:
    """As PyTorch writes x.view(x.size(0), -1) of an open batch: nothing says before a run what types its values have."""
    b = Builder()
    x = b.input(1, 2, 6, 6)
    y = b.node("Relu", b.conv(x, 3, 2, 3))
    batch = b.node("Gather", b.node("Shape", y), b.constant(0, "int64"), axis=0)
    rest = b.constant([-1], "int64")
    sizes = b.node("Concat", b.node("Unsqueeze", batch, b.constant([0], "int64")), rest, axis=0)
    flat = b.node("Reshape", y, sizes)
    graph = b.graph(b.node("Gemm", flat, b.random(48, 4)))
    graph = graph.replace(specs={x: TensorSpec(("N", 2, 6, 6))})
    rng = np.random.default_rng(0)
    given = [{x: rng.normal(0, 1, (2, 2, 6, 6)).astype(np.float32)} for _ in range(3)]
    made = quantize(graph, given)
    assert made.products == 2 and made.changes[0].ratio > 25
    path = tmp_path / "int8.onnx"
    clconv.save(made.graph, path)
    (expected,) = run_reference(graph, given[0]).values()
    (other,) = peer(path).run(None, given[0])
    np.testing.assert_allclose(np.asarray(other), expected, atol=0.1 * np.abs(expected).max())


def test_a_change() -> None:
    change = Change("y")
    change.add(np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]]))
    assert change.ratio == math.inf and change.agreement == 1
    change.add(np.array([[2.0, 1.0]]), np.array([[1.0, 2.0]]))
    assert change.agreement == 0.5 and round(change.ratio, 2) == 6.99
    assert Change("map").agreement is None

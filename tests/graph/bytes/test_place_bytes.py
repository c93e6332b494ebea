"""Quantised networks as operators on bytes: the same values, up to what rounds to the other side of half a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from clconv.graph.ir import Graph
from clconv.graph.passes import run_passes
from clconv.graph.passes.bytes import place_bytes
from clconv.graph.reference import run_reference
from clconv.graph.verify import verify
from tests.graph.graph_builder import CONV, Builder, specialised

SAME = (1, 1, 1, 1)


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


class Quantised(Builder):
    """Networks as quantisers write them: a pair of QuantizeLinear and DequantizeLinear behind each operator."""

    def pair(self, x: str, scale: float = 0.05, zero: int = 128, dtype: str = "uint8") -> str:
        numbers = self.constant(scale), self.constant(zero, dtype)
        return self.node("DequantizeLinear", self.node("QuantizeLinear", x, *numbers), *numbers)

    def weights(
        self, *shape: int, dtype: str = "int8", each: bool = True
    ) -> tuple[str, np.ndarray]:
        """Dequantised weights, and what one step of each filter is."""
        limits, count = np.iinfo(dtype), (shape[0],) if each else ()
        scale = self.rng.uniform(0.005, 0.02, count).astype(np.float32)
        values = self.constant(self.rng.integers(limits.min, limits.max, shape), dtype)
        zero = np.full(count, 128 if dtype == "uint8" else 0)
        numbers = self.constant(scale), self.constant(zero, dtype)
        return self.node("DequantizeLinear", values, *numbers, axis=0), scale

    def product(
        self,
        x: str,
        filters: int,
        channels: int,
        window: int = 3,
        x_scale: float = 0.05,
        **attrs: Any,
    ) -> str:
        each, dtype = attrs.pop("each", True), attrs.pop("dtype", "int8")
        shape = (filters, channels // attrs.get("group", 1), window, window)
        w, scale = self.weights(*shape, dtype=dtype, each=each)
        bias = self.constant(self.rng.integers(-500, 500, filters), "int32")
        step = np.broadcast_to(np.float32(x_scale) * scale, (filters,)).copy()
        b = self.node("DequantizeLinear", bias, self.constant(step), axis=0)
        return self.node("Conv", x, w, b, **{**CONV, **attrs})

    def placed(self, *outputs: str) -> tuple[Graph, Graph]:
        """The network of floats after all passes, and on bytes."""
        graph = specialised(run_passes(self.graph(*outputs)))
        floats = run_passes(graph)
        return floats, verify(place_bytes(floats, lambda *_: True))


def assert_close(floats: Graph, on_bytes: Graph, step: float, steps: int = 1) -> None:
    """Few values differ, and by few steps."""
    rng = np.random.default_rng(3)
    feeds = {n: rng.uniform(-4, 4, floats.specs[n].shape).astype(np.float32) for n in floats.inputs}
    expected, found = run_reference(floats, feeds), run_reference(on_bytes, feeds)
    assert list(expected) == list(found)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and found[name].shape == value.shape
        assert len(np.unique(value)) > 5, "nothing to see"
        difference = np.abs(found[name] - value)
        assert difference.max() <= steps * step * 1.01
        assert np.mean(difference > step / 2) <= 0.05


def test_a_chain_of_convolutions_stays_in_bytes() -> None:
    b = Quantised()
    x = b.pair(b.input(1, 5, 9, 9))
    y = b.pair(b.node("Relu", b.product(x, 12, 5, pads=SAME)), 0.1, 0)
    z = b.pair(b.product(y, 12, 12, group=12, x_scale=0.1, pads=SAME), 0.2, 77)
    floats, made = b.placed(b.pair(b.product(z, 7, 12, 1, x_scale=0.2), 0.5, 100))
    assert ops(made) == ["QuantizeLinear", *["ByteConv"] * 3, "DequantizeLinear"]
    assert_close(floats, made, 0.5)
    assert [n.attrs.x_zero for n in made.nodes if n.op == "ByteConv"] == [128, 0, 77]


@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_weights_of_either_type(dtype: str, each: bool) -> None:
    b = Quantised()
    x = b.pair(b.input(2, 5, 6, 7), 0.05, 3, "int8")
    y = b.product(x, 6, 5, each=each, dtype=dtype)
    floats, made = b.placed(b.pair(y, 0.25, -20, "int8"))
    assert "ByteConv" in ops(made)
    assert_close(floats, made, 0.25)


@pytest.mark.parametrize(
    "activation", [("Relu", ()), ("Clip", (0.0, 6.0)), ("Clip", (-1.3, 2.2)), ("Clip", (0.3,))]
)
def test_activations_are_cut_off(activation: tuple[str, Sequence[float]]) -> None:
    b = Quantised()
    y = b.product(b.pair(b.input(1, 5, 6, 7)), 6, 5)
    y = b.node(activation[0], y, *(b.constant(v) for v in activation[1]))
    floats, made = b.placed(b.pair(y, 0.1, 60))
    assert ops(made) == ["QuantizeLinear", "ByteConv", "DequantizeLinear"]
    assert_close(floats, made, 0.1)


@pytest.mark.parametrize("ends", ["sum", "activation"])
def test_what_follows_a_quantisation_of_its_own_stays(ends: str) -> None:
    """As behind what was moved: that is no part of a convolution, and what comes next goes to its epilogue."""
    b = Quantised()
    x = b.input(1, 5, 6, 6)
    y = b.pair(b.product(b.pair(x), 8, 5, pads=SAME), 0.3, 100)
    y = b.pair(b.node("DepthToSpace", y, blocksize=2, mode="CRD"), 0.3, 100)
    other = b.input(1, 2, 12, 12, name="other")
    y = b.node("Add", y, other) if ends == "sum" else b.node("Tanh", y)
    floats, made = b.placed(y, *([] if ends == "sum" else [other]))
    assert "FakeQuantize" in ops(floats) and "ByteConv" in ops(made)
    assert_close(floats, made, 0.3)


@pytest.mark.parametrize("rounded", [True, False])
def test_a_residual_sum_is_added_to_the_sums(rounded: bool) -> None:
    b = Quantised()
    x = b.pair(b.input(1, 8, 6, 6))
    y = b.product(x, 8, 8, pads=SAME)
    y = b.pair(y, 0.3, 100) if rounded else y
    z = b.node("Relu", b.node("Add", y, x))
    floats, made = b.placed(b.pair(z, 0.25, 0))
    assert ops(made) == ["QuantizeLinear", "ByteConv", "DequantizeLinear"]
    assert made.nodes[1].attrs.twice == rounded and len(made.nodes[1].inputs) == 6
    assert_close(floats, made, 0.25, 2)


def test_concatenated_values_are_put_on_one_grid_where_they_are_made() -> None:
    b = Quantised()
    x = b.pair(b.input(1, 5, 6, 6))
    one, two = b.pair(b.product(x, 4, 5), 0.1, 20), b.pair(b.product(x, 6, 5), 0.3, 100)
    both = b.pair(b.node("Concat", one, two, axis=1), 0.35, 90)
    floats, made = b.placed(b.pair(b.product(both, 3, 10, 1, x_scale=0.35), 0.5, 100))
    assert ops(made) == [
        "QuantizeLinear",
        *["ByteConv"] * 2,
        "Concat",
        "ByteConv",
        "DequantizeLinear",
    ]
    assert [n.attrs.twice for n in made.nodes if n.op == "ByteConv"] == [True, True, False]
    assert_close(floats, made, 0.5, 2)


def test_a_concatenated_value_with_other_readers_keeps_its_grid() -> None:
    b = Quantised()
    x = b.pair(b.input(1, 5, 6, 6))
    one, two = b.pair(b.product(x, 4, 5), 0.1, 20), b.pair(b.product(x, 6, 5), 0.3, 100)
    joined = b.node("Concat", one, two, axis=1)
    both = b.pair(joined, 0.35, 90)
    last = b.pair(b.product(both, 3, 10, 1, x_scale=0.35), 0.5, 100)
    floats, made = b.placed(last, b.node("Sigmoid", joined))
    assert ops(made).count("ByteTable") == 2
    feeds = {"x": np.random.default_rng(0).uniform(-4, 4, (1, 5, 6, 6)).astype(np.float32)}
    expected, found = run_reference(floats, feeds), run_reference(made, feeds)
    other = floats.outputs[1]
    np.testing.assert_allclose(found[other], expected[other], atol=0.02)


def test_functions_of_a_value_are_tables() -> None:
    b = Quantised()
    y = b.pair(b.product(b.pair(b.input(1, 5, 6, 6)), 6, 5), 0.05, 128)
    s = b.pair(b.node("Mul", y, b.pair(b.node("Sigmoid", y), 1 / 255, 0)), 0.04, 10)
    floats, made = b.placed(b.pair(b.product(s, 3, 6, 1, x_scale=0.04), 0.3, 100))
    assert ops(made) == ["QuantizeLinear", "ByteConv", "ByteTable", "ByteConv", "DequantizeLinear"]
    assert_close(floats, made, 0.3, 2)


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_sums_and_products_of_two_values(op: str) -> None:
    b = Quantised()
    x = b.pair(b.input(1, 5, 6, 6))
    one, two = b.pair(b.product(x, 6, 5), 0.1, 120), b.pair(b.product(x, 6, 5), 0.1, 100)
    one, two = (b.pair(b.node("Sigmoid", v), 1 / 255, 0) for v in (one, two))
    floats, made = b.placed(b.pair(b.node(op, one, two), 0.01, 3))
    assert f"Byte{op}" in ops(made)
    assert_close(floats, made, 0.01, 2)


def test_pools_and_full_connections() -> None:
    b = Quantised()
    y = b.pair(b.node("Relu", b.product(b.pair(b.input(2, 5, 9, 9)), 16, 5, pads=SAME)), 0.1, 0)
    attrs = {"kernel_shape": (3, 3), "strides": (2, 2), "pads": SAME, "dilations": (1, 1)}
    y = b.pair(b.node("MaxPool", y, **attrs), 0.1, 0)
    y = b.pair(b.node("GlobalAveragePool", y), 0.05, 0)
    y = b.pair(b.node("Flatten", y), 0.05, 0)
    w, scale = b.weights(10, 16, each=False)
    bias = b.constant(b.rng.integers(-500, 500, 10), "int32")
    c = b.node("DequantizeLinear", bias, b.constant(np.float32(0.05) * scale))
    floats, made = b.placed(b.pair(b.node("Gemm", y, w, c, transB=1), 0.6, 128))
    assert ops(made) == [
        "QuantizeLinear", "ByteConv", "MaxPool", "ByteAveragePool", "Flatten", "Reshape", "ByteConv",
        "Reshape", "DequantizeLinear",
    ]  # fmt: skip
    assert_close(floats, made, 0.6, 2)


@pytest.mark.parametrize("keepdims", [0, 1])
def test_means_of_all_pixels_by_their_axes(keepdims: int) -> None:
    b = Quantised()
    y = b.pair(b.product(b.pair(b.input(2, 5, 9, 9)), 16, 5, pads=SAME), 0.1, 128)
    axes = b.constant([-1, 2], "int64")
    y = b.pair(b.node("ReduceMean", y, axes, keepdims=keepdims), 0.05, 128)
    floats, made = b.placed(y)
    assert "ByteAveragePool" in ops(made) and "ReduceMean" not in ops(made)
    assert_close(floats, made, 0.05, 2)


def test_what_reads_floats_gets_them() -> None:
    b = Quantised()
    y = b.pair(b.product(b.pair(b.input(1, 5, 6, 6)), 6, 5), 0.1, 120)
    floats, made = b.placed(b.node("Softmax", y, axis=1), y)
    assert ops(made) == ["QuantizeLinear", "ByteConv", "DequantizeLinear", "Softmax"]
    assert made.outputs == floats.outputs


def test_what_is_not_bytes_stays_as_it_is() -> None:
    def untouched(b: Quantised, *outputs: str, takes: bool = True) -> None:
        floats = run_passes(specialised(run_passes(b.graph(*outputs))))
        assert place_bytes(floats, lambda *_: takes) is floats

    b = Quantised()  # weights that never were integers
    untouched(b, b.pair(b.conv(b.pair(b.input(1, 5, 6, 6)), 6, 5)))
    b = Quantised()  # an input that is on no grid
    untouched(b, b.pair(b.product(b.input(1, 5, 6, 6), 6, 5)))
    b = Quantised()  # more than 256 steps
    untouched(b, b.pair(b.product(b.pair(b.input(1, 5, 6, 6), 0.01, 0, "int16"), 6, 5)))
    b = Quantised()  # no kernel takes it
    untouched(b, b.pair(b.product(b.pair(b.input(1, 5, 6, 6)), 6, 5)), takes=False)
    b = Quantised()  # not quantised at all
    untouched(b, b.conv(b.input(1, 5, 6, 6), 6, 5))


def test_results_that_are_on_no_grid_are_floats() -> None:
    b = Quantised()
    y = b.product(b.pair(b.input(1, 5, 6, 6)), 6, 5)
    floats, made = b.placed(b.node("Relu", y))
    assert ops(made) == ["QuantizeLinear", "ByteConvToFloat"]
    assert_close(floats, made, 1e-4)


def test_rows_of_more_axes_than_two() -> None:
    b = Quantised()
    w, _ = b.weights(8, 4, each=False)
    x = b.pair(b.input(2, 3, 8))
    floats, made = b.placed(b.pair(b.node("MatMul", x, w), 0.2, 100))
    assert ops(made) == ["QuantizeLinear", "ByteMatMulToFloat"]
    assert_close(floats, made, 0.2)


def test_biases_that_do_not_fit_are_floats() -> None:
    b = Quantised()
    x = b.pair(b.input(1, 5, 6, 6))
    w, scale = b.weights(6, 5, 3, 3)
    bias = b.constant(np.full(6, (1 << 31) - 2), "int32")
    c = b.node("DequantizeLinear", bias, b.constant(np.float32(0.05) * scale), axis=0)
    _, made = b.placed(b.pair(b.node("Conv", x, w, c, **CONV)))
    assert ops(made) == ["QuantizeLinear", "ByteConvToFloat"]

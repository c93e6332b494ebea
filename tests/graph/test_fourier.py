"""Long Fourier transforms are split: in time and memory that grow like a fast transform's, and exactly."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.errors import ShapeError
from clconv.graph.evaluate import evaluate_graph
from clconv.graph.ops.spectral.fourier import DIRECT, factor_of
from clconv.graph.specialise.specialise import specialise
from tests.graph.graph_builder import Builder


def transform_of(length: int, parts: int, **attrs: int):  # type: ignore[no-untyped-def]
    b = Builder()
    graph = b.graph(b.node("DFT", b.input(2, length, parts), out="y", **attrs))
    return specialise(graph, dict(graph.specs)).graph


@pytest.mark.parametrize("length", [129, 251, 256, 257, 1009, 4096, 6000, 8191, 65536, 2 * 65521])
@pytest.mark.parametrize("inverse", [0, 1])
def test_what_it_is_written_with_is_the_transform(length: int, inverse: int) -> None:
    graph = transform_of(length, 2, inverse=inverse)
    x = np.random.default_rng(length).standard_normal((2, length, 2)).astype(np.float32)
    y = evaluate_graph(graph, {graph.inputs[0]: x})["y"]
    wide = x[..., 0] + 1j * x[..., 1].astype(np.float64)
    right = (np.fft.ifft if inverse else np.fft.fft)(wide)
    assert np.abs(y[..., 0] + 1j * y[..., 1] - right).max() < 3e-6 * np.abs(right).max()


@pytest.mark.parametrize("length", [4096, 8192, 1 << 20, 12000, 1000003, 2 * 500009])
def test_memory_grows_with_the_length(length: int) -> None:
    graph = transform_of(length, 1)
    made = sum(constant.spec.size for constant in graph.constants.values())
    largest = max(spec.size for spec in graph.specs.values())
    assert made < 120 * length and largest < 2 * 20 * length


def test_a_length_is_split_into_near_halves_of_the_exponent() -> None:
    assert factor_of(DIRECT) == DIRECT and factor_of(4096) == 64 and factor_of(256) == 16
    assert factor_of(131 * 131) == 131 and factor_of(8191) == 0 and factor_of(2 * 8191) == 2


@pytest.mark.parametrize("length", [(1 << 24) + 1, 1 << 32, 1 << 40])
def test_a_length_for_which_no_host_has_memory_is_refused(length: int) -> None:
    b = Builder()
    graph = b.graph(b.node("DFT", b.input(1, 4, 1), b.constant(length, "int64"), out="y"))
    with pytest.raises(ShapeError, match=f"length {length:,} is longer than"):
        specialise(graph, dict(graph.specs))


@pytest.mark.parametrize(("bins", "length"), [(1 << 28, 1), (1 << 30, 1 << 30), (1 << 62, 1 << 62)])
def test_more_bins_than_are_made_are_refused_before_any_is(bins: int, length: int) -> None:
    with pytest.raises(ShapeError, match="weights that are made"):
        bank_of(bins, length, 4000.0)


@pytest.mark.parametrize("high", [8000.0, 1e30, float("inf"), float("nan")])
def test_frequencies_beyond_the_half_of_the_rate_are_refused(high: float) -> None:
    bank_of(4, 64, 4000.0)
    with pytest.raises(ShapeError, match=r"beyond half|mean nothing"):
        bank_of(4, 64, high)


def bank_of(bins: int, length: int, high: float) -> None:
    b = Builder()
    numbers = [b.constant(n, "int64") for n in (bins, length, 8000)]
    edges = [b.constant(hertz, "float32") for hertz in (0.0, high)]
    graph = b.graph(b.node("MelWeightMatrix", *numbers, *edges, out="y"))
    specialise(graph, dict(graph.specs))

"""The least work of layers, worked out by hand."""

from __future__ import annotations

import pytest

from benchmarks.roofline.work import Work, layers_of
from clconv.frontend.layers import Conv2d, Sequential
from tests.lowering.support import made_up

CPU = made_up("cpu", kind="cpu", vector_width=16, compute_units=2)


def only_layer(conv: Conv2d, size: int, own_caches: int = 1 << 30):  # type: ignore[no-untyped-def]
    graph = Sequential(conv).build((32, size, size), 1, name="one")
    (layer,) = layers_of(graph, CPU, own_caches)
    return layer


def test_a_window_of_three_is_counted_directly_and_by_each_transform() -> None:
    layer = only_layer(Conv2d(64, 3, padding=1, bias=False), 28)
    weights = 4 * 64 * 32 * 9
    direct, four, two = (
        sorted(layer.ways, key=lambda way: -way.flops)[0],
        *sorted(layer.ways, key=lambda way: way.flops)[:2],
    )
    assert layer.weights == direct.bytes == weights
    assert direct.flops >= 2 * 64 * 32 * 9 * 28 * 28
    assert (four.flops, four.bytes) == (2 * 36 * 49 * 64 * 32, weights * 4)
    assert two.flops == 2 * 16 * 196 * 64 * 32


def test_a_pointwise_layer_has_one_way_and_values_count_where_caches_are_small() -> None:
    (way,) = only_layer(Conv2d(64, 1, bias=False), 28).ways
    (beyond,) = only_layer(Conv2d(64, 1, bias=False), 28, own_caches=0).ways
    assert beyond.bytes - way.bytes == 4 * (32 + 64) * 28 * 28


def test_the_way_that_takes_least_depends_on_the_bandwidth() -> None:
    layer = only_layer(Conv2d(64, 3, padding=1, bias=False), 7)
    fast = layer.least(1e9, 1e12)
    slow = layer.least(1e15, 1e6)
    assert fast.flops == min(way.flops for way in layer.ways)
    assert slow.bytes == layer.weights


def test_seconds_are_the_longer_of_both() -> None:
    work = Work(flops=4e9, bytes=1e9)
    assert work.seconds(2e9, 1e9) == pytest.approx(2)
    assert work.seconds(8e9, 1e9) == pytest.approx(1)

"""fuse_pad: a Pad node folds into every reader that computes exactly the same with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clconv.graph.ir import TensorSpec
from clconv.graph.passes.fuse_pad import fuse_pad

POOL = {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}
LOWEST = float(np.finfo(np.float32).min)


def ops(graph) -> list[str]:
    return [node.op for node in graph.nodes]


def pad(build, x, mode="constant", pads=(0, 0, 1, 2, 0, 0, 2, 1), value=None, axes=None):
    extra = [] if value is None and axes is None else [""]
    if value is not None:
        extra = [build.constant(value)]
    if axes is not None:
        extra.append(build.constant(axes, "int64"))
    return build.node("Pad", x, build.constant(pads, "int64"), *extra, mode=mode)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_every_mode_into_conv(build, check, mode):
    x = build.input(2, 3, 6, 7)
    graph = build.graph(build.conv(pad(build, x, mode), 4, 3, 3, strides=(2, 1)))
    after = check(fuse_pad, graph)
    assert ops(after) == ["Conv"]
    assert after.nodes[0].attrs.pads == (1, 2, 2, 1)
    assert after.nodes[0].attrs.pad_mode == mode


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_the_size_may_be_open(build, mode):
    x = build.input(1, 3, 6, 6)
    build.conv(pad(build, x, mode), 4, 3, 3, out="y")
    build.specs["x"] = TensorSpec(("N", 3, "H", "W"))
    assert ops(fuse_pad(build.graph("y"))) == ["Conv"]


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("op", ["Conv", "MaxPool", "AveragePool"])
def test_padding_wider_than_the_image(build, check, op, mode):
    y = pad(build, build.input(2, 3, 2, 3), mode, (0, 0, 5, 7, 0, 0, 2, 4))
    attrs = {**POOL, "dilations": (1, 2), "strides": (2, 2)}
    last = (
        build.conv(y, 4, 3, 3, strides=(2, 1))
        if op == "Conv"
        else build.node(op, y, kernel_shape=(3, 2), **attrs)
    )
    assert ops(check(fuse_pad, build.graph(last))) == [op]


def test_zero_pads_add_and_other_modes_do_not(build, check):
    x = build.input(1, 3, 6, 6)
    graph = build.graph(build.conv(pad(build, x, value=0.0), 4, 3, 3, pads=(1, 0, 2, 3)))
    after = check(fuse_pad, graph)
    assert after.nodes[0].attrs.pads == (2, 2, 4, 4)


@pytest.mark.parametrize(
    ("options", "attrs"),
    [
        ({"mode": "reflect"}, {"pads": (1, 1, 1, 1)}),
        ({"mode": "constant"}, {"pads": (1, 1, 1, 1), "pad_mode": "edge"}),
        ({"value": 1.0}, {}),
        ({"pads": (0, 1, 1, 1, 0, 0, 1, 1)}, {}),
        ({"pads": (0, 0, -1, 1, 0, 0, 1, 1)}, {}),
        ({"pads": (1, 0, 1, 1, 0, 0, 1, 1)}, {}),
    ],
)
def test_what_a_conv_cannot_take_stays(build, check, options, attrs):
    y = pad(build, build.input(1, 3, 6, 6), **options)
    channels = 4 if options.get("pads", (0, 0))[1] else 3
    graph = build.graph(build.conv(y, 4, channels, 3, **attrs))
    assert ops(check(fuse_pad, graph)) == ["Pad", "Conv"]


def test_axes_and_a_three_dimensional_input(build, check):
    x = build.input(2, 3, 9)
    y = pad(build, x, "reflect", (2, 1), axes=[-1])
    weights = build.random(4, 3, 3)
    attrs = {"strides": (1,), "dilations": (2,), "pads": (0, 0)}
    after = check(fuse_pad, build.graph(build.node("Conv", y, weights, **attrs)))
    assert ops(after) == ["Conv"] and after.nodes[0].attrs.pads == (2, 1)


def test_all_readers_or_none(build, check):
    x = build.input(1, 3, 6, 6)
    y = pad(build, x)
    both = [build.conv(y, 2, 3, 3), build.conv(y, 2, 3, 1)]
    assert ops(check(fuse_pad, build.graph(*both))) == ["Conv", "Conv"]
    graph = build.graph(*both, build.node("Relu", y))
    assert ops(check(fuse_pad, graph)) == ["Pad", "Conv", "Conv", "Relu"]
    assert ops(check(fuse_pad, build.graph(both[0], y)))[0] == "Pad"


@pytest.mark.parametrize("value", [-np.inf, LOWEST])
def test_lowest_pad_into_max_pool(build, check, value):
    y = pad(build, build.input(1, 3, 6, 7), value=value, pads=(0, 0, 1, 0, 0, 0, 1, 2))
    after = check(fuse_pad, build.graph(build.node("MaxPool", y, kernel_shape=(3, 3), **POOL)))
    assert ops(after) == ["MaxPool"]


def test_zero_pad_into_max_pool_where_nothing_is_negative(build, check):
    x = build.input(1, 3, 6, 7)
    for source in (build.node("Relu", x), x):
        y = pad(build, source, pads=(0, 0, 1, 0, 0, 0, 1, 2))
        build.node("MaxPool", y, kernel_shape=(3, 3), **POOL)
    outputs = [node.outputs[0] for node in build.nodes if node.op == "MaxPool"]
    assert ops(check(fuse_pad, build.graph(*outputs))) == ["Relu", "MaxPool", "Pad", "MaxPool"]


def test_max_pool_windows_must_not_lie_in_the_pad(build, check):
    y = pad(build, build.input(1, 1, 6, 6), value=LOWEST, pads=(0, 0, 3, 0, 0, 0, 0, 0))
    graph = build.graph(build.node("MaxPool", y, kernel_shape=(3, 3), **POOL))
    assert ops(check(fuse_pad, graph)) == ["Pad", "MaxPool"]


def test_max_pool_indices_count_padded_pixels(build):
    y = pad(build, build.input(1, 1, 6, 6), value=LOWEST)
    build.node("MaxPool", y, kernel_shape=(3, 3), **POOL)
    build.nodes[-1] = dataclasses.replace(build.nodes[-1], outputs=("y", "where"))
    assert ops(fuse_pad(build.graph("y", "where"))) == ["Pad", "MaxPool"]


@pytest.mark.parametrize("counted", [0, 1])
@pytest.mark.parametrize("own", [(0, 0, 0, 0), (1, 1, 0, 1)])
def test_zero_pad_into_average_pool(build, check, counted, own):
    y = pad(build, build.input(1, 3, 6, 7), pads=(0, 0, 1, 0, 0, 0, 1, 1))
    attrs = {**POOL, "pads": own, "count_include_pad": counted}
    after = check(fuse_pad, build.graph(build.node("AveragePool", y, kernel_shape=(3, 3), **attrs)))
    fits = counted or not any(own)
    assert ops(after) == (["AveragePool"] if fits else ["Pad", "AveragePool"])


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_other_modes_into_pooling(build, check, op, mode):
    y = pad(build, build.input(1, 3, 6, 7), mode, (0, 0, 1, 0, 0, 0, 1, 2))
    after = check(fuse_pad, build.graph(build.node(op, y, kernel_shape=(3, 3), **POOL)))
    assert ops(after) == [op]


@pytest.mark.parametrize("size", range(4, 10))
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_ceil_mode_keeps_the_number_of_windows(build, check, op, size):
    value = LOWEST if op == "MaxPool" else 0.0
    y = pad(build, build.input(1, 1, size, 5), value=value, pads=(0, 0, 0, 0, 0, 0, 1, 1))
    attrs = {**POOL, "strides": (2, 3), "ceil_mode": 1}
    check(fuse_pad, build.graph(build.node(op, y, kernel_shape=(2, 2), **attrs)))


@pytest.mark.parametrize("shape", [(1, 3, 9, 2, 2), (1, 3, 9), (3,)])
def test_an_input_of_another_rank_than_its_windows_is_left_to_the_shape_rule(build, shape):
    y = pad(build, build.input(*shape), "edge", (0, 0, 1, 0, 0, 0, 0, 0))
    attrs = {
        "kernel_shape": (2, 2), "strides": (2, 2), "dilations": (1, 1), "pads": (0,) * 4, "ceil_mode": 1,
    }  # fmt: skip
    graph = build.graph(build.node("AveragePool", y, count_include_pad=1, **attrs))
    assert ops(fuse_pad(graph)) == ["Pad", "AveragePool"]

"""Transposes vanish between convolutions, whatever stands there, and results stay the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from graph_builder import Builder, specialised

from clconv.graph.ir import Graph
from clconv.graph.passes import run_passes
from clconv.graph.passes.push_transposes import push_transposes

Check = Callable[..., Graph]

TO_CHANNELS = (0, 3, 1, 2)  # NHWC -> NCHW
TO_PIXELS = (0, 2, 3, 1)


def count(graph: Graph, op: str = "Transpose") -> int:
    return sum(n.op == op for n in graph.nodes)


def nhwc_conv(build: Builder, x: str, filters: int, channels: int, out: str | None = None) -> str:
    """A convolution as TensorFlow's exporter writes it, wrapped in two transposes."""
    y = build.conv(build.node("Transpose", x, perm=TO_CHANNELS), filters, channels, 3)
    return build.node("Transpose", y, out=out, perm=TO_PIXELS)


BETWEEN = {
    "relu": lambda b, x: b.node("Relu", x),
    "two readers": lambda b, x: b.node("Mul", b.node("Sigmoid", x), x),
    "one a channel": lambda b, x: b.node("Add", b.node("Mul", b.random(6), x), b.random(1, 1, 1, 6)),
    "one a row": lambda b, x: b.node("Sub", b.random(8, 1, 1), x),
    "a scalar": lambda b, x: b.node("Max", x, b.constant(0.25)),
    "clip": lambda b, x: b.node("Clip", x, b.constant(0.0), b.constant(6.0)),
    "a slope": lambda b, x: b.node("PRelu", x, b.random(1, 1, 6)),
    "cast": lambda b, x: b.node("Cast", b.node("Cast", x, to="float64"), to="float32"),
    "pad": lambda b, x: b.node("Pad", x, b.constant([0, 1, 2, 0, 0, 0, 1, 0], "int64")),
    "pad of two axes": lambda b, x: b.node(
        "Pad", x, b.constant([1, 2, 0, 1], "int64"), "", b.constant([1, -2], "int64"), mode="edge"
    ),
    "slice": lambda b, x: b.node(
        "Slice", x, *(b.constant(v, "int64") for v in ([1, 2], [7, 9], [1, 2]))
    ),
    "softmax": lambda b, x: b.node("Softmax", x, axis=-1),
    "concat": lambda b, x: b.node(
        "Slice", b.node("Concat", x, b.node("Neg", x), axis=3),
        *(b.constant(v, "int64") for v in ([3], [9], [3])),
    ),
    "concat with a constant": lambda b, x: b.node(
        "Concat", x, b.random(2, 1, 9, 6), axis=1
    ),
    "mean of a row": lambda b, x: b.node(
        "Sub", x, b.node("ReduceMean", x, b.constant([2], "int64"), keepdims=1)
    ),
    "attention": lambda b, x: b.node(
        "Mul", x,
        b.node("Sigmoid", b.node("ReduceMean", x, b.constant([1, 2], "int64"), keepdims=1)),
    ),
    "attention through dense layers": lambda b, x: b.node(
        "Mul", x,
        b.node(
            "Reshape",
            b.node(
                "MatMul",
                b.node("ReduceMean", x, b.constant([1, 2], "int64"), keepdims=0),
                b.random(6, 6),
            ),
            b.constant([-1, 1, 1, 6], "int64"),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("between", BETWEEN)
def test_transposes_between_two_convolutions_vanish(
    between: str, build: Builder, check: Check
) -> None:
    x = build.input(2, 10, 11, 3)
    y = BETWEEN[between](build, nhwc_conv(build, x, 6, 3))
    graph = build.graph(nhwc_conv(build, y, 4, 6, out="y"))
    pushed = check(push_transposes, graph)
    assert count(graph) == 4
    # What is left: the input's, the output's, and one of a single pixel.
    assert count(pushed) <= 2 + (between == "attention through dense layers")
    check(push_transposes, graph, with_open_sizes=True)
    assert count(run_passes(graph)) <= 2 + (between == "attention through dense layers")


def test_a_residual_network_keeps_two(build: Builder, check: Check) -> None:
    """Stem, three residual blocks of two convolutions each, mean over pixels, dense."""
    x = nhwc_conv(build, build.input(1, 20, 20, 3), 8, 3)
    for _ in range(3):
        y = build.node("Relu", nhwc_conv(build, x, 8, 8))
        y = build.node("Pad", y, build.constant([0, 2, 2, 0, 0, 2, 2, 0], "int64"))
        x = build.node("Relu", build.node("Add", nhwc_conv(build, y, 8, 8), x))
    pooled = build.node("ReduceMean", x, build.constant([1, 2], "int64"), keepdims=0)
    graph = build.graph(build.node("MatMul", pooled, build.random(8, 5), out="scores"))
    assert count(graph) == 14
    assert count(check(push_transposes, graph)) == 1
    assert count(run_passes(specialised(graph))) == 1


def test_a_split_in_the_middle(build: Builder, check: Check) -> None:
    x = nhwc_conv(build, build.input(1, 8, 8, 3), 6, 3)
    from clconv.graph.ops import make_node

    sizes = build.constant([2, 4], "int64")
    build.nodes.append(make_node("Split", [x, sizes], ["few", "many"], "split", axis=3))
    graph = build.graph(
        nhwc_conv(build, "few", 2, 2, out="a"), nhwc_conv(build, "many", 2, 4, out="b")
    )
    assert count(graph) == 6
    assert count(check(push_transposes, graph)) == 3


def test_flattening_a_single_pixel_needs_no_transpose(build: Builder, check: Check) -> None:
    pooled = build.node("GlobalAveragePool", build.conv(build.input(2, 3, 8, 8), 5, 3, 3))
    flat = build.node("Flatten", build.node("Transpose", pooled, perm=TO_PIXELS), axis=1)
    turned = build.node("Transpose", build.node("Transpose", flat, perm=(1, 0)), perm=(1, 0))
    big = build.node("Transpose", build.node("Transpose", "x", perm=TO_PIXELS), perm=TO_CHANNELS)
    graph = build.graph(build.node("Relu", turned, out="y"), build.node("Relu", big, out="z"))
    assert count(check(push_transposes, graph)) == 0


def test_results_that_are_wanted_keep_their_order_and_name(build: Builder, check: Check) -> None:
    x = nhwc_conv(build, build.input(1, 9, 9, 3), 4, 3, out="first")
    best = build.node("ArgMax", build.node("Relu", x), axis=3, keepdims=0, out="best")
    graph = build.graph("first", nhwc_conv(build, x, 4, 4, out="second"), best)
    pushed = check(push_transposes, graph)
    assert pushed.outputs == ("first", "second", "best")
    assert count(pushed) == 3


@pytest.mark.parametrize("pool", ["GlobalAveragePool", "GlobalMaxPool"])
def test_pooling_pixels_that_lie_outermost(pool: str, build: Builder, check: Check) -> None:
    x = build.node("Relu", build.input(2, 7, 9, 5))
    y = build.node(pool, build.node("Transpose", x, perm=TO_CHANNELS))
    pushed = check(push_transposes, build.graph(build.node("Flatten", y, axis=1, out="y")))
    assert count(pushed) == 0


def test_nothing_is_pushed_where_it_saves_nothing(build: Builder) -> None:
    x = build.node("Transpose", build.input(2, 3, 4, 5), perm=TO_PIXELS)
    other = build.input(2, 4, 5, 3, name="other")
    graph = build.graph(build.node("Add", build.node("Relu", x), other, out="y"))
    assert push_transposes(graph) is graph
    empty = Builder()
    plain = empty.graph(empty.node("Relu", empty.input(2, 3), out="y"))
    assert push_transposes(plain) is plain


def test_random_permutations(build: Builder, check: Check) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        b = Builder()
        x = b.input(2, 3, 4, 5)
        shape = [2, 3, 4, 5]
        for _ in range(6):
            perm = tuple(int(p) for p in rng.permutation(4))
            x = b.node("Transpose", x, perm=perm)
            shape = [shape[p] for p in perm]
            x = b.node("Mul", x, b.random(*shape[1:]))
            x = b.node("ReduceMax", b.node("Concat", x, x, axis=1), b.constant([1], "int64"))
            shape[1] = 1
        check(push_transposes, b.graph(b.node("Relu", x, out="y")))

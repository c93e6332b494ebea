"""fold_constants, remove_dead, remove_identity, fold_batch_norm and fold_scale."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.graph.passes.fold_batch_norm import fold_batch_norm
from clconv.graph.passes.fold_constants import fold_constants
from clconv.graph.passes.fold_scale import fold_scale
from clconv.graph.passes.remove_dead import remove_dead
from clconv.graph.passes.remove_identity import remove_identity


def ops(graph) -> list[str]:
    return [node.op for node in graph.nodes]


def test_fold_constants_collapses_a_shape_chain(build, check):
    x = build.input(2, 3, 4, 5)
    shape = build.node("Shape", x)
    batch = build.node("Gather", shape, build.constant([0], "int64"), axis=0)
    target = build.node("Concat", batch, build.constant([-1], "int64"), axis=0)
    graph = build.graph(build.node("Reshape", x, target))
    after = check(fold_constants, graph)
    assert ops(after) == ["Reshape"]
    assert after.constants[after.nodes[0].inputs[1]].array.tolist() == [2, -1]


def test_fold_constants_keeps_constants_it_does_not_touch(build, check):
    x = build.input(1, 2, 3, 3)
    graph = build.graph(build.conv(x, 4, 2))
    assert check(fold_constants, graph).constants["c0"] is graph.constants["c0"]


def test_an_output_may_be_folded(build, check):
    build.input(2)
    graph = build.graph(build.node("Add", build.constant([1.0]), build.constant([2.0]), out="y"))
    after = check(fold_constants, graph)
    assert after.constants["y"].array.tolist() == [3.0] and not after.nodes


def test_remove_dead_drops_nodes_and_constants_but_no_input(build, check):
    x = build.input(1, 2, 3, 3)
    build.input(5, name="unused")
    build.node("Relu", build.conv(x, 4, 2))
    graph = build.graph(build.node("Neg", x))
    after = check(remove_dead, graph)
    assert ops(after) == ["Neg"] and not after.constants
    assert after.inputs == ("x", "unused")


def test_remove_dead_returns_the_same_graph_if_nothing_is_dead(build):
    graph = build.graph(build.node("Neg", build.input(3)))
    assert remove_dead(graph) is graph


@pytest.mark.parametrize(
    "make",
    [
        lambda b, x: b.node("Identity", x),
        lambda b, x: b.node("Dropout", x),
        lambda b, x: b.node("Dropout", x, b.constant(0.5), b.constant(False, "bool")),
        lambda b, x: b.node("Cast", x, to="float32"),
        lambda b, x: b.node("Transpose", x, perm=(0, 1, 2)),
        lambda b, x: b.node("Pad", x, b.constant([0] * 6, "int64")),
        lambda b, x: b.node("Concat", x, axis=1),
        lambda b, x: b.node("Sum", x),
        lambda b, x: b.node("Slice", x, b.constant([0], "int64"), b.constant([2**63 - 1], "int64")),
    ],
)
def test_identities_go_with_or_without_shapes(build, check, make):
    x = build.node("Neg", build.input(2, 3, 4))
    graph = build.graph(build.node("Abs", make(build, x)))
    assert ops(check(remove_identity, graph)) == ["Neg", "Abs"]
    assert ops(check(remove_identity, graph, with_open_sizes=True)) == ["Neg", "Abs"]


@pytest.mark.parametrize(
    "make",
    [
        lambda b, x: b.node("Reshape", x, b.constant([2, -1, 4], "int64")),
        lambda b, x: b.node("Expand", x, b.constant([3, 1], "int64")),
        lambda b, x: b.node("Tile", x, b.constant([1, 1, 1], "int64")),
        lambda b, x: b.node(
            "Slice", x, b.constant([0], "int64"), b.constant([3], "int64"), b.constant([1], "int64")
        ),
    ],
)
def test_identities_that_show_once_shapes_are_known(build, check, make):
    x = build.node("Neg", build.input(2, 3, 4))
    graph = build.graph(build.node("Abs", make(build, x)))
    assert ops(check(remove_identity, graph)) == ["Neg", "Abs"]


def test_what_only_looks_like_an_identity_stays(build, check):
    x = build.input(3, 3)
    ends, axes = build.constant([-(2**63) + 1], "int64"), build.constant([0], "int64")
    flipped = build.node(
        "Slice", x, build.constant([2], "int64"), ends, axes, build.constant([-1], "int64")
    )
    graph = build.graph(
        flipped, build.node("Transpose", x, perm=(1, 0)), build.node("Cast", x, to="float16")
    )
    assert ops(check(remove_identity, graph)) == ["Slice", "Transpose", "Cast"]


def test_outputs_keep_their_names(build, check):
    x = build.input(2, 3)
    hidden = build.node("Neg", x)
    graph = build.graph(
        build.node("Identity", hidden, out="first"),
        build.node("Identity", hidden, out="second"),
        build.node("Dropout", x, out="copy"),
        build.node("Abs", hidden, out="third"),
        build.node("Identity", build.constant([1.0]), out="fixed"),
        "x",
    )
    after = check(remove_identity, graph, with_open_sizes=True)
    assert ops(after) == ["Neg", "Identity", "Identity", "Abs"]
    assert after.outputs == ("first", "second", "copy", "third", "fixed", "x")
    assert after.constants["fixed"] is graph.constants["c0"]


def test_a_chain_of_identities_to_an_output(build, check):
    value = build.node("Neg", build.input(2))
    for name in ("a", "b", "y"):
        value = build.node("Identity", value, out=name)
    after = check(remove_identity, build.graph("y"))
    assert ops(after) == ["Neg"] and after.nodes[0].outputs == ("y",)


def batch_norm(build, x: str, channels: int) -> str:
    positive = build.constant(np.abs(build.rng.normal(size=channels)) + 0.1)
    parts = [build.random(channels) for _ in range(3)]
    return build.node("BatchNormalization", x, *parts, positive)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("group", [1, 2])
def test_batch_norm_into_conv(build, check, bias, group):
    y = build.conv(build.input(2, 4, 5, 5), 6, 4, 3, bias=bias, group=group)
    graph = build.graph(build.node("Relu", batch_norm(build, y, 6)))
    for after in (
        check(fold_batch_norm, graph),
        check(fold_batch_norm, graph, with_open_sizes=True),
    ):
        assert ops(after) == ["Conv", "Relu"]


def test_batch_norm_into_grouped_transposed_conv(build, check):
    x, weights = build.input(1, 4, 5, 5), build.random(4, 3, 2, 2)
    attrs = {"strides": (2, 2), "dilations": (1, 1), "pads": (0, 0, 0, 0), "group": 2}
    y = build.node("ConvTranspose", x, weights, **attrs)
    assert ops(check(fold_batch_norm, build.graph(batch_norm(build, y, 6)))) == ["ConvTranspose"]


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [None, (1, 6), (6,), ()])
def test_batch_norm_into_gemm(build, check, transposed, bias):
    weights = build.random(6, 3) if transposed else build.random(3, 6)
    extra = [] if bias is None else [build.random(*bias)]
    y = build.node(
        "Gemm", build.input(6, 3), weights, *extra, transB=transposed, alpha=0.5, beta=2.0
    )
    assert ops(check(fold_batch_norm, build.graph(batch_norm(build, y, 6)))) == ["Gemm"]


def test_a_gemm_whose_bias_differs_by_row_is_left_alone(build, check):
    y = build.node("Gemm", build.input(6, 3), build.random(3, 6), build.random(6, 1))
    after = check(fold_batch_norm, build.graph(batch_norm(build, y, 6)))
    assert ops(after) == ["Gemm", "Mul", "Add"]


def test_batch_norm_without_a_conv_becomes_mul_and_add(build, check):
    y = build.conv(build.input(1, 2, 3, 3), 4, 2)
    graph = build.graph(y, batch_norm(build, y, 4))  # y is an output: its conv must stay
    after = check(fold_batch_norm, graph, with_open_sizes=True)
    assert ops(after) == ["Conv", "Mul", "Add"]
    assert after.constants[after.nodes[1].inputs[1]].array.shape == (1, 4, 1, 1)
    assert ops(check(fold_batch_norm, graph)) == ["Conv", "Mul", "Add"]


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("shape", [(), (1,), (6, 1, 1), (1, 6, 1, 1)])
@pytest.mark.parametrize("first", [False, True])
def test_scale_into_conv(build, check, op, shape, first):
    y = build.conv(build.input(1, 4, 5, 5), 6, 4, 3, bias=op != "Sub")
    constant = build.random(*shape)
    operands = (constant, y) if first else (y, constant)
    after = check(fold_scale, build.graph(build.node("Relu", build.node(op, *operands))))
    divided_by_result = op == "Div" and first
    assert ops(after) == (["Conv", "Div", "Relu"] if divided_by_result else ["Conv", "Relu"])


def test_scales_in_a_row_all_fold(build, check):
    y = build.conv(build.input(1, 4, 5, 5), 6, 4, group=2)
    y = build.node("Mul", build.random(1, 6, 1, 1), y)
    y = build.node("Add", y, build.random(6, 1, 1))
    y = build.node("Div", y, build.constant(255.0))
    graph = build.graph(build.node("Sub", y, build.constant([1.5]), out="y"))
    after = check(fold_scale, graph, with_open_sizes=True)
    assert ops(after) == ["Conv"] and after.nodes[0].outputs == ("y",)


@pytest.mark.parametrize("shape", [(5,), (5, 1), (1, 1, 5, 5), (2, 1, 1, 1), (1, 1, 6, 1, 1)])
def test_a_constant_that_is_not_per_channel_stays(build, check, shape):
    y = build.conv(build.input(1, 4, 5, 5), 5 if len(shape) < 5 else 6, 4)
    graph = build.graph(build.node("Mul", y, build.random(*shape)))
    assert ops(check(fold_scale, graph)) == ["Conv", "Mul"]


def test_scales_that_would_overflow_or_are_shared_stay(build, check):
    x = build.input(1, 4, 5, 5)
    huge = build.node("Mul", build.conv(x, 2, 4), build.constant(3e38))
    huge = build.node("Mul", huge, build.constant(1e-38))
    shared = build.conv(x, 2, 4)
    sums = [build.node("Add", shared, build.constant(v)) for v in (1.0, 2.0)]
    active = build.node("Add", build.node("Relu", build.conv(x, 2, 4)), build.constant(1.0))
    by_zero = build.node("Div", build.conv(x, 2, 4), build.constant(0.0))
    graph = build.graph(*sums, active, by_zero)
    assert ops(fold_scale(graph)) == ops(graph)
    graph = build.graph(huge)
    assert ops(fold_scale(graph)).count("Mul") == 2

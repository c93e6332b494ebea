"""fuse_patterns: activations and pairs that exporters spell out."""

from __future__ import annotations

import itertools
import math

import pytest

from clconv.graph.passes.fuse_patterns import fuse_patterns


def ops(graph) -> list[str]:
    return [node.op for node in graph.nodes]


def clip6(b, x):
    return b.node("Clip", b.node("Add", x, b.constant(3.0)), b.constant(0.0), b.constant(6.0))


def erf(b, x):
    inner = b.node("Erf", b.node("Div", x, b.constant(math.sqrt(2))))
    return b.node("Add", b.constant([1.0]), inner)


def cube(b, x):
    return b.node("Mul", b.constant(0.044715), b.node("Pow", x, b.constant(3.0)))


def tanh(b, x, inner):
    argument = b.node("Mul", b.node("Add", x, inner), b.constant(math.sqrt(2 / math.pi)))
    return b.node("Add", b.node("Tanh", argument), b.constant(1.0))


ACTIVATIONS = {
    "swish": ("Swish", lambda b, x: b.node("Mul", x, b.node("Sigmoid", x))),
    "swish turned": ("Swish", lambda b, x: b.node("Mul", b.node("Sigmoid", x), x)),
    "hard swish, divided last": (
        "HardSwish",
        lambda b, x: b.node("Div", b.node("Mul", x, clip6(b, x)), b.constant(6.0)),
    ),
    "hard swish, divided first": (
        "HardSwish",
        lambda b, x: b.node("Mul", b.node("Div", clip6(b, x), b.constant([6.0])), x),
    ),
    "hard swish, multiplied": (
        "HardSwish",
        lambda b, x: b.node("Mul", b.constant(1 / 6), b.node("Mul", clip6(b, x), x)),
    ),
    "hard swish from hard sigmoid": (
        "HardSwish",
        lambda b, x: b.node("Mul", x, b.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)),
    ),
    "hard sigmoid": ("HardSigmoid", lambda b, x: b.node("Div", clip6(b, x), b.constant(6.0))),
    "gelu, half last": (
        "Gelu",
        lambda b, x: b.node("Mul", b.node("Mul", x, erf(b, x)), b.constant(0.5)),
    ),
    "gelu, half first": (
        "Gelu",
        lambda b, x: b.node("Mul", b.node("Mul", b.constant(0.5), x), erf(b, x)),
    ),
    "gelu, half on the gate": (
        "Gelu",
        lambda b, x: b.node("Mul", x, b.node("Mul", erf(b, x), b.constant(0.5))),
    ),
    "gelu by tanh": (
        "Gelu",
        lambda b, x: b.node("Mul", b.node("Mul", x, b.constant(0.5)), tanh(b, x, cube(b, x))),
    ),
}


@pytest.mark.parametrize("label", ACTIVATIONS)
def test_activation(build, check, label):
    expected, make = ACTIVATIONS[label]
    x = build.node("Neg", build.input(2, 3, 4))
    graph = build.graph(build.node("Abs", make(build, x)))
    assert ops(check(fuse_patterns, graph)) == ["Neg", expected, "Abs"]
    assert ops(check(fuse_patterns, graph, with_open_sizes=True)) == ["Neg", expected, "Abs"]


def test_only_the_right_numbers_and_values_match(build, check):
    x, z = build.input(3), build.input(3, name="z")
    graph = build.graph(
        build.node("Mul", x, build.node("HardSigmoid", x, alpha=0.2, beta=0.5)),
        build.node("Mul", x, build.node("Sigmoid", z)),
        build.node("Div", build.node("Mul", x, clip6(build, z)), build.constant(6.0)),
        build.node("Mul", build.node("Mul", x, erf(build, x)), build.constant(0.4)),
        build.node("Div", build.node("Sigmoid", x), x),
    )
    assert not {"Swish", "HardSwish", "Gelu"} & set(ops(check(fuse_patterns, graph)))


def test_a_gate_with_another_reader_stays(build, check):
    x = build.input(3)
    gate = build.node("Sigmoid", x)
    graph = build.graph(build.node("Mul", x, gate), build.node("Neg", gate))
    assert ops(check(fuse_patterns, graph)) == ["Sigmoid", "Mul", "Neg"]


@pytest.mark.parametrize("bias", [(), (5,), (1, 5), (1,)])
@pytest.mark.parametrize("turned", [False, True])
def test_matmul_and_bias_become_gemm(build, check, bias, turned):
    product = build.node("MatMul", build.input(4, 3), build.random(3, 5))
    operands = (product, build.random(*bias))
    graph = build.graph(build.node("Add", *(operands[::-1] if turned else operands)))
    assert ops(check(fuse_patterns, graph, with_open_sizes=True)) == ["Gemm"]


@pytest.mark.parametrize(
    ("data", "bias"), [((2, 4, 3), (5,)), ((4, 3), (4, 1)), ((4, 3), (2, 4, 5))]
)
def test_other_matmuls_stay(build, check, data, bias):
    product = build.node("MatMul", build.input(*data), build.random(3, 5))
    graph = build.graph(build.node("Add", product, build.random(*bias)))
    assert ops(check(fuse_patterns, graph)) == ["MatMul", "Add"]


@pytest.mark.parametrize(
    "perms", list(itertools.product([(0, 2, 3, 1), (0, 3, 1, 2), ()], repeat=2))
)
def test_transposes_merge_or_cancel(build, check, perms):
    x = build.node("Neg", build.input(2, 3, 4, 5))
    y = build.node("Transpose", build.node("Transpose", x, perm=perms[0]), perm=perms[1], out="y")
    after = check(fuse_patterns, build.graph(y))
    cancels = perms in (((0, 2, 3, 1), (0, 3, 1, 2)), ((0, 3, 1, 2), (0, 2, 3, 1)), ((), ()))
    assert ops(after) == (["Neg"] if cancels else ["Neg", "Transpose"])
    assert after.nodes[-1].outputs == ("y",)


def test_cancelling_transposes_between_input_and_output(build, check):
    x = build.input(2, 3)
    y = build.node("Transpose", build.node("Transpose", x, perm=(1, 0)), perm=(1, 0), out="y")
    assert ops(check(fuse_patterns, build.graph(y))) == ["Identity"]


def test_reshapes_merge_unless_a_size_is_copied(build, check):
    x = build.input(2, 3, 4)
    flat = build.node("Flatten", x)
    merged = build.node("Reshape", flat, build.constant([4, -1], "int64"))
    copied = build.node("Reshape", flat, build.constant([0, 6, 2], "int64"))
    after = check(fuse_patterns, build.graph(merged, copied))
    assert ops(after) == ["Flatten", "Reshape", "Reshape"]
    assert after.nodes[1].inputs[0] == "x" and after.nodes[2].inputs[0] == flat


def test_relu_and_clip(build, check):
    x = build.input(5)
    zero, six, low = (build.constant(v) for v in (0.0, 6.0, -1.0))
    graph = build.graph(
        build.node("Clip", build.node("Relu", x), zero, six, out="a"),
        build.node("Relu", build.node("Clip", x, zero, six), out="b"),
        build.node("Relu", build.node("Clip", x, low, six), out="c"),
        build.node("Clip", build.node("Relu", x), low, six, out="d"),
        build.node("Relu", build.node("Relu", x), out="e"),
    )
    after = check(fuse_patterns, graph)
    assert ops(after) == ["Clip", "Clip", "Clip", "Relu", "Relu", "Clip", "Relu"]

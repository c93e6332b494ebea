"""fuse_epilogue: element-wise chains become steps of the node that feeds them."""

from __future__ import annotations

import pytest

from clconv.graph.ir import RUNNING, TensorSpec
from clconv.graph.ops import OPS
from clconv.graph.passes.fuse_epilogue import EPILOGUE_STEPS, fuse_epilogue
from clconv.graph.passes.remove_dead import remove_dead


def ops(graph) -> list[str]:
    return [node.op for node in graph.nodes]


def steps(node) -> list[tuple[str, tuple[int, ...]]]:
    return [(step.op, step.operands) for step in node.epilogue]


def test_the_rows_that_may_be_steps():
    hosts = {name for name, op in OPS.items() if op.hooks and op.hooks.epilogue}
    assert {"Relu", "Clip", "Add", "PRelu", "Gelu"} <= EPILOGUE_STEPS < hosts
    assert {"Conv", "Gemm", "MaxPool"} <= hosts
    assert not {"Equal", "Where", "Not", "IsNaN"} & hosts


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "HardSwish", "Elu", "Gelu", "Softplus", "Neg"])
def test_unary_activation(build, check, op):
    graph = build.graph(build.node(op, build.conv(build.input(1, 3, 4, 4), 2, 3), out="y"))
    for after in (check(fuse_epilogue, graph), check(fuse_epilogue, graph, with_open_sizes=True)):
        assert ops(after) == ["Conv"] and steps(after.nodes[0]) == [(op, (RUNNING,))]
        assert after.nodes[0].outputs == ("y",) and after.nodes[0].op_arity == 3


def test_constants_by_scalar_and_channel_without_known_sizes(build, check):
    x = build.conv(build.input(1, 3, 4, 4), 2, 3, bias=False)
    x = build.node("PRelu", x, build.random(2, 1, 1))
    x = build.node("Mul", build.random(1, 2, 1, 1), x)
    x = build.node("Clip", x, "", build.constant(0.5))
    x = build.node("Sub", build.constant([2.0]), x)
    graph = build.graph(x)
    for after in (check(fuse_epilogue, graph), check(fuse_epilogue, graph, with_open_sizes=True)):
        (node,) = after.nodes
        assert node.op_arity == 2 and node.op_inputs == ("x", "c0")
        assert steps(node) == [
            ("PRelu", (RUNNING, 2)),
            ("Mul", (3, RUNNING)),
            ("Clip", (RUNNING, 4, 5)),
            ("Sub", (6, RUNNING)),
        ]
        assert node.inputs[4] == ""
        assert after.constants["c1"] is graph.constants["c1"]


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 1, 4, 4), (1, 1, 1, 2, 1, 1)])
def test_constants_that_broadcast_otherwise_stay(build, check, shape):
    y = build.node("Mul", build.conv(build.input(1, 3, 4, 4), 2, 3), build.random(*shape))
    assert ops(check(fuse_epilogue, build.graph(y))) == ["Conv", "Mul"]


def test_residual_add_keeps_the_graph_sorted(build, check):
    x = build.input(1, 3, 4, 4)
    first = build.conv(x, 3, 3)
    other = build.node(
        "MaxPool", x, kernel_shape=(3, 3), strides=(1, 1), dilations=(1, 1), pads=(1, 1, 1, 1)
    )
    other = build.node("Softmax", other, axis=1)
    graph = build.graph(build.node("Relu", build.node("Add", first, other), out="y"))
    assert ops(check(fuse_epilogue, graph, with_open_sizes=True)) == [
        "Conv",
        "MaxPool",
        "Softmax",
        "Add",
    ]
    after = check(fuse_epilogue, graph)
    assert ops(after) == ["MaxPool", "Softmax", "Conv"]
    assert steps(after.nodes[-1]) == [("Add", (RUNNING, 3)), ("Relu", (RUNNING,))]


def test_the_later_of_two_makers_takes_the_sum(build, check):
    x = build.input(1, 3, 4, 4)
    first, second = build.conv(x, 2, 3), build.conv(x, 2, 3)
    after = check(fuse_epilogue, build.graph(build.node("Add", first, second)))
    assert [len(node.epilogue) for node in after.nodes] == [0, 1]
    assert steps(after.nodes[1]) == [("Add", (3, RUNNING))]


def test_an_epilogue_grows_when_sizes_become_known(build, check):
    x = build.input(1, 3, 4, 4)
    y = build.node("Add", build.conv(x, 3, 3), x)
    y = build.node("Mul", build.node("Relu", y), build.random(3, 1, 1))
    open_form = fuse_epilogue(build.graph(y))
    assert ops(open_form) == ["Conv", "Add"] and len(open_form.nodes[1].epilogue) == 2
    after = check(fuse_epilogue, open_form)
    assert ops(after) == ["Conv"] and len(after.nodes[0].epilogue) == 3


def test_values_with_other_readers_and_outputs_stay(build, check):
    x = build.input(1, 3, 4, 4)
    shared = build.conv(x, 2, 3)
    shown = build.conv(x, 2, 3)
    graph = build.graph(
        build.node("Relu", shared), build.node("Neg", shared), shown, build.node("Relu", shown)
    )
    assert ops(check(fuse_epilogue, graph)) == ["Conv", "Conv", "Relu", "Neg", "Relu"]


def test_a_value_may_meet_itself(build, check):
    y = build.conv(build.input(1, 3, 4, 4), 2, 3)
    after = check(fuse_epilogue, build.graph(build.node("Mul", y, y)))
    assert steps(after.nodes[0]) == [("Mul", (RUNNING, RUNNING))]


def test_broadcasting_between_values_is_left_alone(build, check):
    x = build.input(2, 3, 4, 4)
    y = build.conv(x, 3, 3)
    gate = build.node("Sigmoid", build.node("GlobalAveragePool", x))
    after = check(fuse_epilogue, build.graph(build.node("Relu", build.node("Mul", y, gate))))
    assert ops(after) == ["Conv", "GlobalAveragePool", "Mul"]
    assert [s[0] for s in steps(after.nodes[2])] == ["Relu"]


def test_a_step_may_not_widen_the_value(build, check):
    x = build.node("Sigmoid", build.input(1, 1, 1, 1))
    graph = build.graph(build.node("Add", x, build.input(1, 3, 2, 2, name="z")))
    assert ops(check(fuse_epilogue, graph)) == ["Sigmoid", "Add"]


def test_integers_and_comparisons_stay(build, check):
    build.specs["n"] = TensorSpec((3,), type(TensorSpec(()).dtype)("int64"))
    x = build.input(3)
    graph = build.graph(
        build.node("Neg", build.node("Abs", "n")),
        build.node("Not", build.node("Less", build.node("Neg", x), build.constant(0.0))),
    )
    assert ops(check(fuse_epilogue, graph)) == ["Abs", "Neg", "Neg", "Less", "Not"]


def test_long_chains_are_cut(build, check):
    y = build.conv(build.input(1, 3, 4, 4), 2, 3)
    for i in range(15):
        y = build.node(("Tanh", "Neg", "Abs")[i % 3], y)
    after = check(fuse_epilogue, build.graph(y))
    assert [node.op for node in after.nodes] == ["Conv", "Tanh", "Neg"]
    assert max(len(node.epilogue) for node in after.nodes) == 6


@pytest.mark.parametrize(
    "make",
    [
        lambda b: b.node("Gemm", b.input(4, 3), b.random(3, 5)),
        lambda b: b.node("MatMul", b.input(2, 4, 3), b.random(3, 5)),
        lambda b: b.node("GlobalAveragePool", b.input(2, 5, 3, 3)),
        lambda b: b.node("Mul", b.input(2, 5, 3, 3), b.input(2, 5, 1, 1, name="gate")),
        lambda b: b.node(
            "AveragePool",
            b.input(1, 2, 4, 4),
            kernel_shape=(2, 2),
            strides=(2, 2),
            dilations=(1, 1),
            pads=(0, 0, 0, 0),
        ),
    ],
)
def test_other_hosts(build, check, make):
    y = build.node("Relu", build.node("Add", make(build), build.constant(0.5)))
    graph = build.graph(y)
    assert len(check(fuse_epilogue, graph).nodes) == 1


def test_matmul_bias_on_the_last_axis_is_not_per_channel(build, check):
    y = build.node("MatMul", build.input(2, 4, 3), build.random(3, 4))
    graph = build.graph(build.node("Add", y, build.random(4)))
    assert ops(check(fuse_epilogue, graph)) == ["MatMul", "Add"]


def test_multiple_fused_branches_leave_nothing_dead(build, check):
    x = build.input(1, 2, 3, 3)
    left = build.node("Relu", build.conv(x, 2, 2))
    right = build.node("Sigmoid", build.conv(x, 2, 2))
    after = check(fuse_epilogue, build.graph(build.node("Add", left, right)))
    assert len(after.nodes) == 2 and remove_dead(after).nodes == after.nodes

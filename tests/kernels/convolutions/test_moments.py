"""Statistics that convolutions leave of their results, and batch normalisation by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.lowering.variants import VARIANTS
from clconv.planning.plan import Plan
from clconv.runtime.check import relative_error
from tests.kernels.support import plan_for, run
from tests.kernels.test_epilogues import CONVOLUTIONS_ON_CPUS, SAME, floats

LEAVING = {v.name for v in VARIANTS["Conv"] if v.leaves_moments}
POINT = {**SAME, "pads": (0, 0, 0, 0)}
# fmt: off
MORE: dict[str, tuple[str, dict[str, Any], tuple[int, ...], tuple[tuple[int, ...], ...]]] = {
    "direct, runs": ("Conv", SAME, (3, 17, 29, 7), ((5, 17, 3, 3), (5,))),
    "direct, pixels": ("Conv", POINT, (2, 19, 23, 31), ((70, 19, 1, 1), (70,))),
    "direct, strided": ("Conv", {**POINT, "strides": (2, 2)}, (2, 19, 23, 31), ((70, 19, 1, 1), (70,))),
    "direct, groups": ("Conv", {**SAME, "group": 2}, (2, 32, 9, 9), ((64, 16, 3, 3), (64,))),
    "winograd4, groups": ("Conv", {**SAME, "group": 2}, (2, 64, 9, 9), ((32, 32, 3, 3), (32,))),
    "winograd4, slices": ("Conv", SAME, (1, 300, 71, 67), ((5, 300, 3, 3), (5,))),
}
# fmt: on
CASES = {**{n: c for n, c in CONVOLUTIONS_ON_CPUS.items() if n in LEAVING}, **MORE}


NORMAL = ("y", "mean", "variance", "saved_mean", "saved_inverse")


def test_every_variant_that_leaves_statistics_is_here() -> None:
    assert {name.split(",")[0] for name in CASES} == LEAVING


def normalised(name: str, mean: float = 0.0, steps: tuple[str, ...] = ()) -> Graph:
    """A convolution, element-wise steps that are fused into it, and batch normalisation."""
    op, attrs, x, shapes = CASES[name]
    known = {f"w{i}": floats(shape) for i, shape in enumerate(shapes)}
    known["w1"] = known["w1"] + np.float32(mean)
    channels = len(known["w1"])
    known |= {n: np.float32(1) + floats((channels,)) / 2 for n in ("scale", "bias", "m", "v")}
    nodes = [make_node(op, ["a", "w0", "w1"], ["x0"], "conv", **attrs)]
    for step in steps:
        nodes.append(make_node(step, [nodes[-1].outputs[0]], [f"x{len(nodes)}"], step))
    inputs = [nodes[-1].outputs[0], "scale", "bias", "m", "v"]
    nodes.append(make_node("BatchNormalization", inputs, NORMAL, "norm", training_mode=1))
    specs = {"a": TensorSpec.of(np.zeros(x, np.float32))}
    constants = {n: Constant(a) for n, a in known.items()}
    graph = Graph("normalised", tuple(nodes), ("a",), NORMAL, specs, constants)
    return run_passes(specialise(graph, specs).graph)


def planned(graph: Graph, name: str, device: DeviceInfo) -> Plan:
    assert len(graph.nodes) == 2, "the steps are fused"
    plan = plan_for(graph, device, {CASES[name][0].lower(): name.split(",")[0]})
    stages = [dict(c.kernel.parameters)["stage"] for c in plan.calls if "norm" in c.node]
    assert stages == ["apply"], "statistics have no pass of their own"
    return plan


def run_with_steps(name: str, steps: tuple[str, ...], device: DeviceInfo) -> None:
    graph = normalised(name, steps=steps)
    feeds = {"a": floats(graph.specs["a"].shape)}
    expected, found = run_reference(graph, feeds), run(planned(graph, name, device), feeds)
    for output in graph.outputs:
        assert relative_error(found[output], expected[output]) <= 2e-5, output


QUICK = ("depthwise", "winograd4")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CASES]
)
def test_statistics_that_a_convolution_leaves(name: str, device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("variants for CPUs")
    run_with_steps(name, (), device)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["depthwise", "winograd4"])
def test_statistics_of_what_fused_steps_leave(name: str, device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("variants for CPUs")
    run_with_steps(name, ("Relu", "Sqrt"), device)


@pytest.mark.parametrize("name", ["depthwise", pytest.param("winograd4", marks=pytest.mark.slow)])
def test_a_mean_that_is_large_beside_the_deviation(name: str, device: DeviceInfo) -> None:
    """The squares' mean less the mean's square would have no digit of a deviation of 1 beside 1e4. What a convolution rounds
    of its sums is not the statistics' fault: they are compared with those of what it gave."""
    if not device.is_cpu:
        pytest.skip("variants for CPUs")
    graph = normalised(name, 1e4)
    feeds = {"a": floats(graph.specs["a"].shape)}
    found = run(planned(graph, name, device), feeds)
    alone = graph.replace(nodes=graph.nodes[:1], inputs=("a",), outputs=("x0",))
    x = run(plan_for(alone, device, {"conv": name}), feeds)["x0"].astype(np.float64)
    axes, by_channel = (0, 2, 3), (slice(None), None, None)
    mean, deviation = x.mean(axes), np.sqrt(x.var(axes) + 1e-5)
    assert (np.abs(mean) > 1e3 * deviation).all()
    np.testing.assert_allclose(found["saved_inverse"], 1 / deviation, rtol=1e-5)
    scale, bias = (graph.constants[n].array[by_channel] for n in ("scale", "bias"))
    expected = (x - mean[by_channel]) / deviation[by_channel] * scale + bias
    np.testing.assert_allclose(found["y"], expected, rtol=0, atol=1e-5)


def test_a_pass_of_its_own_where_nobody_leaves_statistics(device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("variants for CPUs")
    plan = plan_for(normalised("direct"), device, {"conv": "simple"})
    found = [dict(c.kernel.parameters).get("stage") for c in plan.calls if "norm" in c.node]
    assert found in (["both"], ["statistics", "apply"])

"""Kernels on float16 storage: every variant that takes it, fused epilogues, and the ends of half's range.

The bound is 2^-10 of the largest value of the reference: 2^-11 for rounding the result to half, and as much again
because the reference rounds too. Sums are float32, so it does not grow with their length.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.errors import KernelBuildError, VariantError
from clconv.graph.ir import Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from clconv.lowering.variants import VARIANTS
from clconv.planning.plan import Plan
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import open_device
from tests.kernels.halves import MOST_CASES, OPS, QUICK, cases_of
from tests.kernels.support import check_passes, plan_for, run

BOUND = 2.0**-10


def half_plans(case: Case, device: DeviceInfo) -> Iterator[tuple[str, Plan]]:
    """(variant, plan) for each variant that runs the case on halves as they are."""
    graph, _ = case.build()
    casts = sum(node.op == "Cast" for node in graph.nodes)
    for variant in VARIANTS[case.op]:
        with contextlib.suppress(VariantError):
            plan = plan_for(graph, device, {case.op.lower(): variant.name})
            if sum(node.op == "Cast" for node in plan.graph.nodes) == casts:
                yield variant.name, plan


@pytest.mark.parametrize(
    "op", [pytest.param(op, marks=[pytest.mark.slow] * (op not in QUICK)) for op in OPS]
)
def test_every_variant_runs_on_halves(
    op: str, device: DeviceInfo, request: pytest.FixtureRequest
) -> None:
    cases = cases_of(op, MOST_CASES if request.config.getoption("--whole") else 2)
    made = [(case, variant, plan) for case in cases for variant, plan in half_plans(case, device)]
    with contextlib.suppress(KernelBuildError):
        kernels = [call.kernel for _, _, plan in made for call in plan.calls]
        _held = open_device(device).compiler.prepare(kernels)
    tried = set()
    for case, variant, plan in made:
        graph, feeds = case.build()
        found = run(plan, feeds)
        for name, reference in run_reference(graph, feeds).items():
            assert found[name].dtype == reference.dtype
            error = relative_error(found[name], reference)
            assert error <= BOUND, f"{case.name}, variant {variant}: error {error:.3g}"
        tried.add(case.name)
    assert tried == {case.name for case in cases}, "no variant takes halves"


def graph_of(x: np.ndarray, nodes: tuple[Node, ...], **constants: np.ndarray) -> Graph:
    """A graph from x to y, as a session's passes leave it."""
    graph = Graph(
        "halves",
        nodes,
        ("x",),
        ("y",),
        {"x": TensorSpec.of(x)},
        {name: Constant(array) for name, array in constants.items()},
    )
    return run_passes(specialise(graph, graph.specs).graph)


def half(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float16)


_CONV = {"pads": (1, 1, 1, 1), "strides": (1, 1), "dilations": (1, 1)}


@pytest.mark.parametrize(
    ("channels", "op"),
    [
        *((11, op) for op in ("Conv", "MaxPool", "Add", "ConvTranspose")),
        (16, "Conv"),
        *(
            pytest.param(16, op, marks=pytest.mark.slow)
            for op in ("MaxPool", "Add", "ConvTranspose")
        ),
    ],
)
def test_fused_epilogues_read_halves(op: str, channels: int, device: DeviceInfo) -> None:
    x = half(2, channels, 9, 7)
    first = {
        "Conv": make_node("Conv", ("x", "w", "b"), ("a",), **_CONV),
        "ConvTranspose": make_node("ConvTranspose", ("x", "w", "b"), ("a",), **_CONV),
        "MaxPool": make_node(
            "MaxPool", ("x",), ("a",), kernel_shape=(3, 3), **_CONV, ceil_mode=0, storage_order=0
        ),
        "Add": make_node("Add", ("x", "x"), ("a",)),
    }[op]
    graph = graph_of(
        x,
        (
            first,
            make_node("Mul", ("a", "scale"), ("m",)),
            make_node("Add", ("m", "x"), ("r",)),
            make_node("Clip", ("r", "low", "high"), ("y",)),
        ),
        w=half(channels, channels, 3, 3, seed=1, scale=0.1),
        b=half(channels, seed=2),
        scale=half(channels, 1, 1, seed=3),
        low=np.array(-1, np.float16),
        high=np.array(3, np.float16),
    )  # fmt: skip
    assert len(graph.nodes) == 1, "the steps are fused"
    plan = plan_for(graph, device, {})
    assert not any(node.op == "Cast" for node in plan.graph.nodes)
    error = relative_error(run(plan, {"x": x})["y"], run_reference(graph, {"x": x})["y"])
    assert error <= 2 * BOUND  # the reference rounds after each step


@pytest.mark.parametrize("size", [1, 3, 37])
def test_the_ends_of_the_range_are_ieee_s(size: int, device: DeviceInfo) -> None:
    """Too large is infinite, of either sign; too small is a denormal or zero; NaN stays."""
    ends = np.array(
        [65504, -65504, 40000, -40000, 3e-5, 6e-8, np.inf, -np.inf, np.nan, 0.0, 32760, 65472],
        np.float16,
    )
    x = np.resize(ends, (1, 5, size, 13))
    for factor in (2.0, 0.25, 1.0):
        graph = graph_of(
            x, (make_node("Mul", ("x", "f"), ("y",)),), f=np.full((5, 1, 1), factor, np.float16)
        )
        with np.errstate(all="ignore"):
            expected = (x.astype(np.float32) * np.float32(factor)).astype(np.float16)
        found = run(plan_for(graph, device, {}), {"x": x})["y"]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("variant", [v.name for v in VARIANTS["Conv"]])
def test_sums_pass_half_s_range_only_at_the_end(variant: str, device: DeviceInfo) -> None:
    """33750 + 33750 - 33750 is 33750, though 67500 is infinite as half: sums are float32."""
    x = np.full((1, 8, 6, 6), 60000, np.float16)
    w = np.zeros((8, 8, 3, 3), np.float16)
    w[:, :2] = 0.0625  # nine pixels each of two channels
    w[:4, 2] = -0.0625
    w[4:, 2] = 0.0625
    graph = graph_of(
        x, (make_node("Conv", ("x", "w"), ("y",), **_CONV | {"pads": (0, 0, 0, 0)}),), w=w
    )
    try:
        plan = plan_for(graph, device, {"conv": variant})
    except VariantError as reason:
        pytest.skip(str(reason))
    if any(node.op == "Cast" for node in plan.graph.nodes):
        pytest.skip("computes in float32 between casts")
    found = run(plan, {"x": x})["y"]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found[:, :4], np.float16(33750))
    assert np.isinf(found[:, 4:]).all()


def test_a_float16_constant_lies_on_the_device_as_half(device: DeviceInfo) -> None:
    x = half(1, 64)
    graph = graph_of(x, (make_node("MatMul", ("x", "w"), ("y",)),), w=half(64, 48))
    plan = plan_for(graph, device, {})
    stored = [dict(call.kernel.parameters).get("halves", ()) for call in plan.calls]
    assert plan.graph.spec("w").dtype is DType.FLOAT16
    assert "y" in stored[0] and len(stored[0]) == 3  # both matrices, too


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.op in ("QLinearConv", "QLinearMatMul")], ids=lambda c: c.name
)
def test_scales_that_are_halves_are_multiplied_in_float32(case: Case, device: DeviceInfo) -> None:
    """Bytes differ by one where a product of two such scales is rounded to half."""
    check_passes(case, device, "simple", precision="float16")

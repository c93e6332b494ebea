"""Convolutions of bytes are exact to the last bit: emulated everywhere, with the processor's instructions where it has them."""

from __future__ import annotations

import collections
import contextlib
import dataclasses

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.cases.base import window
from clconv.device.info import DeviceInfo, widened
from clconv.errors import KernelBuildError
from clconv.graph.ir import Constant, DType, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.quantised.bytes.shape import dot_for, small_weights
from clconv.lowering.variants import VARIANTS
from clconv.planning.plan import Plan
from clconv.probes.dot_probe import WEAKER, refusal, sums_exact
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import open_device
from tests import optimisation
from tests.conftest import asks_for_all
from tests.graph.graph_builder import Builder
from tests.kernels.support import plan_for, plans, run
from tests.lowering.support import AVX512

OPERATORS = ("ByteConv", "QuantizeLinear", "ByteConvToFloat", "ByteMatMulToFloat")
FEW = ("strides and dilations", "added", "three fours", "groups of whole blocks")
EXACT = ("sums", "depthwise sums", "three fours")
BYTE_CASES = [case for case in CASES if case.op in OPERATORS]


def able(device: DeviceInfo, dot: str) -> DeviceInfo:
    if not device.is_cpu or device.vector_width not in (8, 16):
        pytest.skip("the kernels are for CPUs with vectors of 8 or 16 lanes")
    if "Portable Computing Language" not in device.platform:
        pytest.skip("the kernels use clang's vectors, which are tried on PoCL only")
    if dot != "emulated" and dot not in (device.dot, *WEAKER.get(device.dot, ())):
        pytest.skip("the processor has no such instruction")
    if device.wide and dot == "vnni":  # only functions for AVX-512 have it there
        device = widened(device)
    return dataclasses.replace(device, dot=dot, dot_verified=True)


Made = list[tuple[Case, tuple[str, Plan]]]


def assert_exact(machine: DeviceInfo, made: Made) -> None:
    # As a GPU, the indices count and not what the CPU's optimiser makes of them.
    how = contextlib.nullcontext() if machine.is_cpu else optimisation.without(machine)
    with how, contextlib.suppress(KernelBuildError):  # many at a time; who is to blame shows below
        kernels = [call.kernel for _, (_, plan) in made for call in plan.calls]
        _held = open_device(machine).compiler.prepare(kernels)
    for case, (name, plan) in made:
        graph, feeds = case.build()
        (found,), (expected,) = run(plan, feeds).values(), run_reference(graph, feeds).values()
        # Sums are exact; a scaled one and a bias may be rounded together.
        most = 1e-6 if case.op.endswith("ToFloat") and case.label not in EXACT else 0
        assert relative_error(found, expected) <= most, f"{case.name}, variant {name}"


@pytest.mark.parametrize(
    "dot", ["vnni", *(pytest.param(d, marks=pytest.mark.slow) for d in ("words", "emulated"))]
)
def test_every_case_is_exact(dot: str, device: DeviceInfo, request: pytest.FixtureRequest) -> None:
    """In the quick run, and where the whole has the same with other instructions, each variant on its first two cases and
    on the few."""
    machine = able(device, dot)
    is_all = request.config.getoption("--soak") or (dot == "vnni" and asks_for_all(request.config))
    made: Made = []
    tried: collections.Counter[tuple[str, str]] = collections.Counter()
    for case in BYTE_CASES:
        for row in plans(case, machine):
            tried[case.op, row[0]] += 1
            if case.label in FEW or tried[case.op, row[0]] <= 2 or is_all:
                made.append((case, row))
    assert {name for _, (name, _) in made} == {
        v.name for op in OPERATORS for v in VARIANTS[op] if v.name != "tiles"
    }
    assert_exact(machine, made)


def as_gpu(device: DeviceInfo, dot: str) -> DeviceInfo:
    if device.largest_work_group < 128:
        pytest.skip("the kernels take work-groups of 128 items")
    return dataclasses.replace(device, kind="gpu", dot=dot, dot_verified=True)


@pytest.mark.parametrize(
    ("dot", "few"),
    [("emulated", True), pytest.param("emulated signed", False, marks=pytest.mark.slow)],
)
def test_every_case_is_exact_in_tiles_of_gpus(dot: str, few: bool, device: DeviceInfo) -> None:
    gpu = as_gpu(device, dot)
    cases = [c for c in BYTE_CASES if not few or c.label in FEW]
    made = [(case, row) for case in cases for row in plans(case, gpu) if row[0] == "tiles"]
    assert {case.op for case, _ in made} == {*OPERATORS} - {"QuantizeLinear"}
    assert_exact(gpu, made)
    assert refusal(gpu) == ""


@pytest.mark.parametrize(
    "dot",
    [
        "nvidia k32",
        *(
            pytest.param(dot, marks=pytest.mark.slow)
            for dot in ("nvidia k16", "intel 8 lanes", "intel 16 lanes", "amd matrix")
        ),
    ],
)
def test_fragments_of_matrix_instructions_are_the_right_ones(dot: str, device: DeviceInfo) -> None:
    assert refusal(as_gpu(device, f"emulated {dot}")) == ""


@pytest.mark.slow
def test_signed_factors_in_vectors_of_four_lanes_are_exact(device: DeviceInfo) -> None:
    machine = able(device, "emulated")
    assert sums_exact(dataclasses.replace(machine, vector_width=4, dot="emulated sdot"))


def test_the_probe_sees_that_words_are_exact(device: DeviceInfo) -> None:
    assert refusal(able(device, "words")) == ""


@pytest.mark.parametrize(
    ("channels", "found"),
    [
        ([64] * 5, "small"),
        ([-64] * 4, "small"),
        ([65] * 4, "words"),
        ([-128, 0, 1, 127], "small"),
        ([1, 100, 29, 0], "small"),
        ([1, 100, 100, 29, 0], "words"),
        ([0, 0, 0, 0, -128], "small"),
    ],
)
def test_pairs_of_bytes_are_multiplied_where_no_sum_leaves_16_bits(
    channels: list[int], found: str
) -> None:
    w = np.array([[0] * len(channels), channels], np.int8)[:, :, None, None]
    x, y = (TensorSpec((1, c, 4, 4), DType.UINT8) for c in (len(channels), 2))
    machine = dataclasses.replace(AVX512, dot="words", dot_verified=True)
    node = make_node("ByteConv", ["x", "w"], ["y"], "one", **window(2))
    problem = Problem(node, (x, TensorSpec.of(w)), (y,), {"w": Constant(w)}, machine)
    assert dot_for(problem, 1) == found
    assert dot_for(dataclasses.replace(problem, constants={}), 1) == "words"
    assert dot_for(dataclasses.replace(problem, device=AVX512), 1) == ""


def test_taps_of_depthwise_filters_lie_side_by_side() -> None:
    w = np.full((2, 1, 3, 3), 65, np.int8)
    assert not small_weights(w)
    assert small_weights(w - np.int8(1))


@pytest.mark.parametrize(
    ("dot", "given"),
    [
        ("vnni", True),
        *(pytest.param(*p, marks=pytest.mark.slow) for p in (("vnni", False), ("words", True))),
    ],
)
def test_an_lstm_counts_its_state_in_16_bits(dot: str, given: bool, device: DeviceInfo) -> None:
    """And its inputs, where four products at a time are summed: each row by its own range."""
    b, hidden, features = Builder(), 37, 21
    zero, limits = b.constant(np.zeros(2), "int8"), (-128, 128)

    def weights(*shape: int) -> str:
        values = b.constant(b.rng.integers(*limits, shape), "int8")
        scale = b.constant(b.rng.uniform(0.002, 0.003, 2).astype(np.float32))
        return b.node("DequantizeLinear", values, scale, zero, axis=0)

    x, r = b.input(6, 2, features), weights(2, 4 * hidden, hidden)
    states = [b.constant(b.rng.uniform(-9, 9, (2, 2, hidden)).astype(np.float32))] * given * 2
    biases = b.constant(b.rng.uniform(-1, 1, (2, 8 * hidden)).astype(np.float32)) if given else ""
    inputs = [x, weights(2, 4 * hidden, features), r, biases, "", *states]
    while not inputs[-1]:
        inputs.pop()
    graph = b.graph(b.node("LSTM", *inputs, hidden_size=hidden, direction="bidirectional"))
    plan = plan_for(graph, able(device, dot), {})
    ways = [dict(c.kernel.parameters)["dot"] for c in plan.calls if "step" in c.kernel.entry]
    assert ways == ["", *[dot] * 5]
    assert any("recurrent_inputs" in c.kernel.entry for c in plan.calls) == (dot == "vnni")
    feeds = {"x": b.rng.uniform(-3, 3, (6, 2, features)).astype(np.float32)}
    feeds["x"] *= np.logspace(-6, 0, 12, dtype=np.float32).reshape(6, 2, 1)
    (found,), (expected,) = run(plan, feeds).values(), run_reference(graph, feeds).values()
    assert relative_error(found, expected) <= 1e-4
    feeds["x"][0, 1] = 0
    (found,), (expected,) = run(plan, feeds).values(), run_reference(graph, feeds).values()
    assert relative_error(found, expected) <= 1e-4

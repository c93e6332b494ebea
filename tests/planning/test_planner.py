"""Planner: what options ask for is what a plan has, on devices that are made up. Nothing runs."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ClconvWarning, ConfigError, DeviceMemoryError, VariantError
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.specialise.specialise import specialise
from clconv.planning.joining import JOINED
from clconv.planning.persistent import is_persistent, kernels_of
from clconv.planning.planner import Planner
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, NVIDIA
from tests.runtime.support import int_input, residual

WAKING = dataclasses.replace(AVX2, quirks=frozenset({"wakes-slowly"}))
TENSOR_CORES = dataclasses.replace(NVIDIA, matrix=frozenset({"tf32", "f16"}), matrix_verified=True)
NETWORK = run_passes(residual())


def image_specs(count: int, size: int = 16) -> dict[str, TensorSpec]:
    return {"x": TensorSpec((count, 3, size, size))}


def product() -> Graph:
    b = Builder()
    return b.graph(b.node("MatMul", b.input(256, 512), b.random(512, 256), out="y"))


def variants(planner: Planner, graph: Graph = NETWORK, size: int = 16) -> set[str]:
    specs = image_specs(1, size) if "x" in graph.inputs and graph is NETWORK else graph.specs
    plan = planner.plan(graph, {name: specs[name] for name in graph.inputs})
    return {choice.variant.name for choice in plan.lowered.choices.values()}


@pytest.mark.parametrize("machine", (AVX2, NVIDIA), ids=lambda device: device.name)
def test_a_plan_is_the_whole_network_launch_by_launch(machine: DeviceInfo) -> None:
    plan = Planner(machine).plan(NETWORK, image_specs(2))
    assert plan.device is machine and plan.cut is None and plan.batch_split is None
    assert plan.launches == plan.calls and len(plan.calls) >= 2
    assert plan.graph.spec("result").shape == (2, 16, 16, 16)
    assert plan.live_bytes <= plan.memory.total
    assert Planner(machine).plan(NETWORK, image_specs(2)) == plan, "the same every time"


def test_a_plan_ends_where_values_must_be_known() -> None:
    b = Builder()
    x, shape = b.input(4, 6), int_input(b, 2, name="shape")
    graph = b.graph(b.node("Relu", b.node("Reshape", b.node("Sigmoid", x), shape), out="y"))
    specs = {"x": TensorSpec((4, 6)), "shape": TensorSpec((2,), DType.INT64)}
    plan = Planner(AVX2).plan(graph, specs)
    assert plan.cut is not None and plan.cut.needed == ("shape",)
    known = {"shape": np.array([3, 8], np.int64)}
    assert Planner(AVX2).plan(graph, {"x": specs["x"]}, known).graph.spec("y").shape == (3, 8)


def test_precision_is_asked_for_and_no_fact_of_the_device() -> None:
    for precision, matrix in (("float32", False), ("strict", False), ("tf32", True)):
        chosen = variants(Planner(TENSOR_CORES, PlanOptions(precision)), product())
        assert (chosen == {"matrix"}) == matrix
    halves = Planner(AVX2, PlanOptions("float16")).plan(NETWORK, image_specs(1))
    assert {spec.dtype for spec in halves.graph.specs.values()} == {DType.FLOAT16, DType.FLOAT32}
    assert halves.graph.spec("result").dtype is DType.FLOAT32
    assert any("winograd" in name for name in variants(Planner(AVX2), size=64))
    strict = variants(Planner(AVX2, PlanOptions("strict")), size=64)
    assert not any("winograd" in name for name in strict)
    with pytest.raises(ConfigError, match="precision='float8'"):
        PlanOptions("float8")


def test_constants_are_converted_once_for_all_plans() -> None:
    planner = Planner(AVX2, PlanOptions("float16"))
    first, second = (planner.plan(NETWORK, image_specs(1, size)).graph for size in (8, 12))
    keys = [{c.key for c in g.constants.values()} for g in (first, second)]
    assert keys[0] == keys[1]


def test_forced_variants_are_taken_or_refused() -> None:
    chosen = variants(Planner(AVX2, PlanOptions(forced={"conv": "simple"})))
    assert chosen == {"simple"}
    with pytest.raises(VariantError, match="there are"):
        variants(Planner(AVX2, PlanOptions(forced={"conv": "none"})))
    with pytest.raises(VariantError, match="cannot apply"):
        variants(Planner(NVIDIA, PlanOptions(forced={"matmul": "matrix"})), product())


def test_what_was_found_wrong_is_not_taken() -> None:
    usual = variants(Planner(AVX2))
    wrong = Findings(frozenset(("Conv", name) for name in usual))
    assert not usual & variants(Planner(AVX2, findings=wrong))


def test_known_variants_are_kept_unless_another_is_clearly_faster() -> None:
    planner = Planner(AVX2)
    nodes = planner.plan(NETWORK, image_specs(1, 64)).lowered.choices
    kept = planner.plan(NETWORK, image_specs(1, 64), known=dict.fromkeys(nodes, "winograd2"))
    assert "winograd2" in {choice.variant.name for choice in kept.lowered.choices.values()}


@pytest.mark.parametrize(("asked", "count"), [(1, 1), (3, 3), (0, None), (7, None), (None, None)])
def test_images_at_a_time_as_asked(asked: int | None, count: int | None) -> None:
    plan = Planner(AVX2, PlanOptions(images_at_once=asked)).plan(NETWORK, image_specs(7))
    split = plan.batch_split
    assert (None if split is None else (split.count, split.batch)) == (count and (count, 7))
    assert plan.graph.specs["x"].shape[0] == (count or 7)


def test_images_at_a_time_as_the_cache_or_the_memory_holds() -> None:
    cached = dataclasses.replace(AVX2, cache=4 << 20)
    plan = Planner(cached).plan(NETWORK, image_specs(16, 64))
    assert plan.batch_split is not None and str(plan.batch_split) == "4 of 16 images at a time"
    assert "4 of 16 images" in str(plan)
    little = dataclasses.replace(AVX2, global_memory=5_500_000)
    plan = Planner(little).plan(NETWORK, image_specs(64, 64))
    assert plan.batch_split is not None and plan.batch_split.count == 4
    with pytest.raises(DeviceMemoryError):
        Planner(little, PlanOptions(images_at_once=0)).plan(NETWORK, image_specs(64, 64))


def test_images_that_meet_are_not_split() -> None:
    b = Builder()
    mixing = b.graph(b.node("Softmax", b.input("n", 3, 4, 4), axis=0, out="y"))
    with pytest.warns(ClconvWarning, match="CLCONV_IMAGES=1: 'test' gets its 3 images at once"):
        plan = Planner(AVX2, PlanOptions(images_at_once=1)).plan(mixing, image_specs(3, 4))
    assert plan.batch_split is None


def test_launches_are_joined_where_the_device_gains_and_nothing_forbids_it() -> None:
    planner = Planner(WAKING)
    plan = planner.plan(NETWORK, image_specs(1))
    assert planner.joins and len(plan.launches) == 1 < len(plan.calls)
    for other in (
        Planner(AVX2),
        Planner(NVIDIA),
        Planner(WAKING, PlanOptions(joining=False)),
        Planner(WAKING, PlanOptions(guard=64)),
        Planner(WAKING, findings=Findings(frozenset({JOINED}))),
    ):
        plan = other.plan(NETWORK, image_specs(1))
        assert not other.joins and plan.launches == plan.calls


def test_images_at_a_time_go_as_one_launch_too() -> None:
    plan = Planner(WAKING, PlanOptions(images_at_once=2)).plan(NETWORK, image_specs(6))
    assert plan.batch_split is not None and len(plan.launches) == 1


def test_another_size_takes_the_joined_kernel_that_is_there() -> None:
    planner = Planner(WAKING)
    (first,) = planner.plan(NETWORK, image_specs(1, 24), declared=NETWORK.specs).launches
    assert is_persistent(first.kernel)
    for count, size in ((1, 20), (2, 24), (1, 48)):
        (other,) = planner.plan(NETWORK, image_specs(count, size)).launches
        assert other.kernel == first.kernel
    (alone,) = Planner(WAKING).plan(NETWORK, image_specs(1, 24)).launches
    assert {*kernels_of(alone.kernel)} < {*kernels_of(first.kernel)}, "nothing compiled in vain"
    known = residual(1, 24, 24)
    (closed,) = Planner(WAKING).plan(known, image_specs(1, 24), declared=known.specs).launches
    assert closed.kernel == alone.kernel


def test_guarded_values_have_a_place_of_their_own() -> None:
    plan = Planner(AVX2, PlanOptions(guard=256)).plan(NETWORK, image_specs(1))
    slots = sorted(plan.memory.slots.values(), key=lambda slot: (slot.arena, slot.offset))
    for before, after in itertools.pairwise(slots):
        assert after.arena > before.arena or after.offset >= before.offset + before.nbytes + 256


def test_passes_are_told_with_the_sizes_and_only_of_the_plan() -> None:
    passes: list[tuple[str, str]] = []
    planner = Planner(WAKING, on_pass=lambda sizes, name, graph: passes.append((sizes, name)))
    planner.plan(NETWORK, image_specs(1), declared=NETWORK.specs)
    usual: list[str] = []
    run_passes(specialise(NETWORK, image_specs(1)).graph, lambda name, graph: usual.append(name))
    assert passes == [("float32[1x3x16x16]", name) for name in usual] and "fuse_epilogue" in usual


def test_options_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "CLCONV_IMAGES": "3",
        "CLCONV_ONE_LAUNCH": "0",
        "CLCONV_PRECISION": "tf32",
        "CLCONV_VARIANT": "Conv:simple",
    }.items():
        monkeypatch.setenv(name, text)
    options = PlanOptions.from_config(guard=8)
    assert options == PlanOptions("tf32", {"conv": "simple"}, 3, False, 8)
    assert PlanOptions.from_config("Strict").precision == "strict"
    monkeypatch.delenv("CLCONV_IMAGES")
    assert options.images_at_once == 3 and PlanOptions.from_config().images_at_once is None
    assert PlanOptions() == PlanOptions("float32", {}, None, True, 0)

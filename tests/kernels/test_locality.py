"""NaN, infinity and outliers change the results that read them and no others: in precision "strict", whatever the
variant, and at the usual precision in all that do not say that they mix."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.cases.base import data, weight
from clconv.device.info import DeviceInfo
from clconv.errors import VariantError
from clconv.graph.ir import Graph
from clconv.graph.reference import run_reference
from clconv.lowering.variants import VARIANTS
from clconv.planning.plan import Plan
from clconv.runtime.bound import BoundPlan
from clconv.runtime.constants import DeviceConstants
from clconv.runtime.opencl import open_device
from tests.kernels.support import plan_for

HOSTILE = (np.nan, np.inf, 1e30)
SAME = {"pads": (1, 1, 1, 1), "strides": (1, 1), "dilations": (1, 1), "group": 1}
# By operator, the labels of cases that are fed floats: batches, strides, groups, tiles that nothing fills.
CHOSEN = {
    "Conv": (
        "3x3 primes", "3x3 stride 2", "5x5 same", "1x1 stride 2", "deep 1x1", "groups of 4", "depthwise",
        "depthwise 5x5 stride 2", "reflect pad", "1-D", "3-D groups",
    ),
    "ConvTranspose": ("3x3 stride 2", "groups", "depthwise", "1-D"),
    "MatMul": (),
    "Gemm": (),
    "MaxPool": ("3x3 stride 2 same", "ceil", "dilated"),
    "AveragePool": ("3x3 stride 2 same", "ceil", "count pads"),
    "GlobalAveragePool": (),
    "Attention": (),
}  # fmt: skip
# F(2, r) reads each pixel of a tile only for results whose windows hold it.
F2 = ("winograd2", "winograd2_5x5", "winograd2_stride2", "winograd2_gpu", "winograd2_fused")
OUTLIER_CASE = Case("Conv", "outlier", (data(1, 16, 20, 20), weight(8, 16, 3, 3)), SAME)


def cases(op: str) -> list[Case]:
    fed = [c for c in CASES if c.op == op and floats(c.build()[1])]
    chosen = [c for c in fed if c.label in CHOSEN[op]]
    return chosen or fed[:: max(1, len(fed) // 4)][:4]


def floats(feeds: dict[str, np.ndarray]) -> list[str]:
    return [n for n, a in feeds.items() if a.dtype == np.float32 and a.size > 1]


def reads_all(graph: Graph) -> bool:
    """A key that a mask leaves out adds NaN to the reference's scores, and nothing to the kernels'."""
    node = graph.nodes[0]
    return node.op != "Attention" or not (node.attrs.is_causal or len(node.inputs) > 3)


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    changed = array.copy()
    changed.reshape(-1)[array.size * 3 // 7] = value
    return changed


def assert_local(graph: Graph, plan: Plan, feeds: dict[str, np.ndarray], label: str) -> None:
    """Results that do not read a value stay bit by bit what they were, whatever it becomes."""
    opened = open_device(plan.device)
    queue = opened.queue()
    bound = BoundPlan(plan, opened, queue, DeviceConstants(opened, queue), guarded=True)
    with np.errstate(all="ignore"):
        clean, found = run_reference(graph, feeds), bound.run(feeds)
        for name in floats(feeds):
            marked = run_reference(graph, {**feeds, name: with_value(feeds[name], np.nan)})
            for value in HOSTILE:
                changed = bound.run({**feeds, name: with_value(feeds[name], value)})
                for output, reference in clean.items():
                    unread = marked[output] == reference
                    same = np.array_equal(changed[output][unread], found[output][unread])
                    assert same, f"{label}: {value} in {name} changes what does not read it"
                    if value != value and reads_all(graph):
                        assert np.isnan(changed[output][np.isnan(marked[output])]).all(), label


def plans(
    case: Case, device: DeviceInfo, names: tuple[str, ...], precision: str = "float32"
) -> list[tuple[str, Graph, Plan]]:
    graph, found = case.build()[0], []
    for name in names:
        try:
            found.append((name, graph, plan_for(graph, device, {case.op.lower(): name}, precision)))
        except VariantError:
            continue
    return found


def check(
    chosen: list[Case], device: DeviceInfo, names: tuple[str, ...], precision: str = "float32"
) -> None:
    tried = [(case, *plan) for case in chosen for plan in plans(case, device, names, precision)]
    assert {name for _, name, _, _ in tried}
    kernels = [call.kernel for *_, plan in tried for call in plan.calls]
    open_device(device).compiler.prepare(kernels)
    for case, name, graph, plan in tried:
        assert_local(graph, plan, case.build()[1], f"{case.name}, {name}")


@pytest.mark.parametrize(
    "op", [pytest.param(op, marks=[pytest.mark.slow] * (op in ("Conv", "Gemm"))) for op in CHOSEN]
)
def test_strict_keeps_hostile_values_where_they_are(op: str, device: DeviceInfo) -> None:
    names = tuple(variant.name for variant in VARIANTS[op])
    check(cases(op), device, names, "strict")


@pytest.mark.slow
def test_winograds_smaller_transforms_do_so_at_the_usual_precision(device: DeviceInfo) -> None:
    check(cases("Conv"), device, F2)


def test_strict_refuses_what_mixes(device: DeviceInfo) -> None:
    graph = OUTLIER_CASE.build()[0]
    mixing = [v.name for v in VARIANTS["Conv"] if "winograd" in v.name]
    assert len(mixing) >= 10
    for name in mixing:
        with pytest.raises(VariantError):
            plan_for(graph, device, {"conv": name}, "strict")
    with pytest.raises(VariantError, match="mix the pixels of a tile, which precision 'strict'"):
        plan_for(graph, device, {"conv": "winograd2_gpu"}, "strict")


@pytest.mark.parametrize("variant", ["winograd4", "winograd4_gpu", "winograd4_fused"])
@pytest.mark.parametrize("value", [1e4, 1e6])
def test_an_outlier_costs_its_neighbours_no_more_than_is_stated(
    variant: str, value: float, device: DeviceInfo
) -> None:
    graph, feeds = OUTLIER_CASE.build()
    found = plans(OUTLIER_CASE, device, (variant,))
    if not found:
        pytest.skip("the variant is for other devices")
    hostile = {"in0": feeds["in0"].copy()}
    hostile["in0"][0, 5, 9, 10] = value
    far = np.ones((20, 20), bool)
    far[8:11, 9:12] = False
    expected = run_reference(graph, hostile)["out0"][..., far]
    opened = open_device(device)
    queue = opened.queue()
    bound = BoundPlan(found[0][2], opened, queue, DeviceConstants(opened, queue), guarded=True)
    error = np.abs(bound.run(hostile)["out0"][..., far] - expected).max()
    largest = np.abs(graph.constants["in1"].array[:, 5]).max()
    assert 1e-8 * value < error <= 50 * 2**-24 * value * largest  # see docs/tuning.md

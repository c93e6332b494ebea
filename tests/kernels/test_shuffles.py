"""Lines that work-groups share, joined without local memory: emulated everywhere, with Intel's instructions where there
are some."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

import clconv
from clconv.cases import CASES, Case
from clconv.cases.base import data
from clconv.device.info import DeviceInfo, shuffle_of
from clconv.errors import KernelBuildError, VariantError
from clconv.frontend.layers import Dense, Sequential, Softmax
from clconv.graph.reference import run_reference
from clconv.lowering.shared.groups import WorkSplit
from clconv.planning.plan import Plan
from clconv.probes import shuffle_probe
from clconv.probes.shuffle_probe import verified_shuffles, with_verified_shuffles
from clconv.runtime.bound import BoundPlan
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import open_device
from tests.conftest import asks_for_all
from tests.kernels.support import plan_for, run
from tests.lowering.support import NVIDIA

# One for each kernel that calls kernels/group.mako: what the others do differently is arithmetic.
OPERATORS = ("Softmax", "ReduceMax", "ReduceLogSumExp", "LayerNormalization", "GlobalAveragePool")
_MOST_PLANS = 8  # of an operator; in the quick run three, and each way once
ROWS = Case("Softmax", "shuffled rows", (data(37, 1000),))
KINDS = ("emulated", pytest.param("intel", marks=pytest.mark.slow))


def able(device: DeviceInfo, kind: str) -> DeviceInfo:
    if kind == "intel" and device.shuffle != "intel":
        pytest.skip("the device has no subgroups of Intel's")
    if device.largest_work_group < 64:
        pytest.skip("the device has no room for a group")
    return dataclasses.replace(device, shuffle=kind, shuffle_verified=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("op", OPERATORS)
def test_kernels_agree_with_the_reference(
    op: str, kind: str, device: DeviceInfo, request: pytest.FixtureRequest
) -> None:
    machine = able(device, kind)
    made = [row for case in CASES if case.op == op for row in shuffled(case, machine)]
    if asks_for_all(request.config):
        made = made[:_MOST_PLANS]
    else:
        made = [*made[:3], *(row for row in made if row[1] not in {m[1] for m in made[:3]})][:4]
    assert {variant for _, variant, _ in made} == {"group", "split"}
    with contextlib.suppress(KernelBuildError):  # many at a time; who is to blame shows below
        kernels = [call.kernel for _, _, plan in made for call in plan.calls]
        _held = open_device(machine).compiler.prepare(kernels)
    for case, variant, plan in made:
        graph, feeds = case.build()
        found = run(plan, feeds)
        for name, expected in run_reference(graph, feeds).items():
            error = relative_error(found[name], expected)
            assert error <= case.tolerance, f"{case.name}, variant {variant}: error {error:.3g}"


def shuffled(case: Case, machine: DeviceInfo) -> Iterator[tuple[Case, str, Plan]]:
    """(case, variant, plan) of the variants whose work-items exchange values."""
    graph, _ = case.build()
    for variant in ("group", "split"):
        with contextlib.suppress(VariantError):
            plan = plan_for(graph, machine, {case.op.lower(): variant})
            splits = [dict(call.kernel.parameters).get("work_split") for call in plan.calls]
            if any(
                isinstance(work_split, WorkSplit) and work_split.abreast > 1
                for work_split in splits
            ):
                yield case, variant, plan


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("items", [1, 2, 8, 16, 32, 256])
def test_groups_of_every_size(items: int, kind: str, device: DeviceInfo) -> None:
    """Fewer items a line than exchange values, as many, more."""
    machine = able(device, kind)
    if items > device.largest_work_group:
        pytest.skip("the device has no such groups")
    x = np.random.default_rng(items).uniform(-1, 1, (5, 4 * items + 3)).astype(np.float32)
    x[3, 1] = np.nan
    graph, _ = Case("ReduceMax", "", (data(*x.shape), None), {"keepdims": 0}).build()
    (name,) = graph.inputs
    (found,) = run(plan_for(graph, machine, {"reducemax": "group"}), {name: x}).values()
    expected = run_reference(graph, {name: x})
    np.testing.assert_array_equal(found, next(iter(expected.values())))


def test_what_fills_no_lanes_is_left_to_local_memory() -> None:
    machine = dataclasses.replace(
        NVIDIA, largest_work_group=1024, shuffle="nvidia", shuffle_verified=True
    )
    assert WorkSplit.of(machine, 1, 49, 1).abreast in (1, 32)
    assert WorkSplit.of(machine, 64, 4096, 1).abreast == 32
    assert WorkSplit.of(machine, 64, 4096, 8).shuffle == ""  # those that share a line lie apart
    narrow = dataclasses.replace(machine, largest_work_group=16)
    assert WorkSplit.of(narrow, 64, 4096, 1).shuffle == ""
    assert (
        WorkSplit.of(dataclasses.replace(machine, shuffle_verified=False), 64, 4096, 1).shuffle
        == ""
    )
    assert shuffle_of((9, 0), frozenset()) == "nvidia" and shuffle_of((6, 1), frozenset()) == ""
    assert shuffle_of((0, 0), frozenset({"cl_intel_subgroups"})) == "intel"


def test_shuffles_are_used_once_they_are_proven(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = dataclasses.replace(able(device, "emulated"), kind="gpu", shuffle_verified=False)
    assert verified_shuffles(machine).shuffle_verified
    graph = Sequential(Dense(700), Softmax()).build((30,))
    session = clconv.load(graph, machine)
    assert session.device.shuffle_verified
    bound = session.prepare({n: s.shape for n, s in session.inputs.items()})
    assert any("emulated" in repr(call.kernel.parameters) for call in bound.plan.calls)
    dense = Dense(7).build((30,))
    assert with_verified_shuffles(dense, machine) is machine  # has no lines to share
    for wrong in (False, KernelBuildError("no such instruction")):

        def tried(one: DeviceInfo, length: int, wrong: bool | Exception = wrong) -> bool:
            if isinstance(wrong, Exception):
                raise wrong
            return wrong

        monkeypatch.setattr(shuffle_probe, "sums_right", tried)
        other = dataclasses.replace(machine, driver=f"another {wrong}")
        assert with_verified_shuffles(graph, other) is other
    assert (
        clconv.load(graph, dataclasses.replace(machine, driver="one more")).device.shuffle_verified
        is False
    )


def test_a_wrong_sum_is_noticed(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = able(device, "emulated")
    assert shuffle_probe.sums_right(machine, 1000)
    right = BoundPlan.run

    def off(*arguments: object) -> dict[str, np.ndarray]:
        found = right(*arguments)  # type: ignore[arg-type]
        found["y"][-1] += 1
        return found

    monkeypatch.setattr(BoundPlan, "run", off)
    assert not shuffle_probe.sums_right(machine, 1000)

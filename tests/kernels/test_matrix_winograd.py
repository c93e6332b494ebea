"""Winograd's F(2,3) with matrix instructions, emulated: factors of 11 bits keep to the bound of products without it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.cases.base import data, weight
from clconv.device.info import DeviceInfo
from clconv.errors import VariantError
from clconv.graph.ir import Constant
from clconv.graph.reference import run_reference
from clconv.lowering.shared.tiles import MATRIX_TILES
from clconv.runtime.check import relative_error
from tests.kernels.support import plan_for, run

BOUND = 2**-10  # of the largest result
SAME = {"pads": (1, 1, 1, 1), "strides": (1, 1), "dilations": (1, 1), "group": 1}
RAGGED = Case("Conv", "ragged", (data(2, 37, 13, 11), weight(45, 37, 3, 3), weight(45)), SAME)
DEEP = Case("Conv", "deep", (data(1, 256, 9, 10, low=0.0), weight(40, 256, 3, 3)), SAME)


def able_of(device: DeviceInfo) -> DeviceInfo:
    least = MATRIX_TILES[-1]
    if least.local_bytes > device.local_memory or least.items > device.largest_work_group:
        pytest.skip("the device has no room for the tile")
    return dataclasses.replace(device, matrix=frozenset({"tf32", "emulated"}))


def error_of(case: Case, device: DeviceInfo, variant: str) -> float:
    graph, feeds = case.build()
    found = run(plan_for(graph, device, {"conv": variant}, "tf32"), feeds)
    return max(relative_error(found[n], r) for n, r in run_reference(graph, feeds).items())


@pytest.mark.slow
def test_every_case_keeps_to_the_bound(device: DeviceInfo) -> None:
    able, tried = able_of(device), 0
    for case in CASES:
        if case.op == "Conv":
            try:
                error = error_of(case, able, "matrix_winograd2")
            except VariantError:
                continue
            assert error <= BOUND, f"{case.name}: error {error:.3g}"
            tried += 1
    assert tried >= 5


@pytest.mark.parametrize("case", (RAGGED, DEEP), ids=lambda case: case.label)
def test_factors_are_rounded_and_no_more(case: Case, device: DeviceInfo) -> None:
    error = error_of(case, able_of(device), "matrix_winograd2")
    assert 1e-5 < error <= BOUND  # float32 errs by 1e-6
    # Sums are float32: integers that 11 bits hold come out exactly, transforms and all.
    graph, feeds = case.build()
    rng = np.random.default_rng(5)
    whole = {n: rng.integers(-3, 4, a.shape).astype(np.float32) for n, a in feeds.items()}
    constants = {
        n: Constant(4 * rng.integers(-3, 4, c.spec.shape).astype(np.float32))
        for n, c in graph.constants.items()
    }
    exact = dataclasses.replace(graph, constants=constants)
    found = run(plan_for(exact, able_of(device), {"conv": "matrix_winograd2"}, "tf32"), whole)
    for name, expected in run_reference(exact, whole).items():
        np.testing.assert_array_equal(found[name], expected)

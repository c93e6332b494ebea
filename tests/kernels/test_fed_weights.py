"""Filters that a run brings, as GPUs and halves have them packed; tests/kernels/test_cases.py runs the rest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.graph.reference import run_reference
from clconv.runtime.check import relative_error
from clconv.session.session import Session
from tests.kernels.support import plans, run

BY_NAME = {case.name: case for case in CASES}
AS_GPU = [
    "Conv-fed,_3x3_primes",
    pytest.param("Conv-fed,_groups", marks=pytest.mark.slow),
    pytest.param("Conv-fed,_depthwise_multiplier", marks=pytest.mark.slow),
    "ConvTranspose-fed,_side_by_side",
    "ConvTranspose-fed,_even_3x3_stride_2",
    "ConvTranspose-fed,_groups_of_24",
]
HALVES = [
    pytest.param("Conv-fed,_3x3_primes", marks=pytest.mark.slow),
    "Conv-fed,_depthwise",
    "ConvTranspose-fed,_1x1",
    "ConvTranspose-fed,_even_3x3_stride_2",
    pytest.param("ConvTranspose-fed,_asymmetric_all", marks=pytest.mark.slow),
]


def wide(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n: a.astype(np.float32) for n, a in arrays.items()}


def run_all(case: Case, device: DeviceInfo, tolerance: float) -> set[str]:
    """The variants that were run."""
    graph, feeds = case.build()
    expected = run_reference(graph, feeds)
    tried = set()
    for variant, plan in plans(case, device):
        found = run(plan, feeds)
        for name, reference in wide(expected).items():
            error = relative_error(found[name].astype(np.float32), reference)
            assert error <= tolerance, f"variant {variant}, output {name}: error {error:.3g}"
        tried.add(variant)
    return tried


@pytest.mark.parametrize("name", AS_GPU)
def test_packed_as_for_a_gpu(name: str, device: DeviceInfo) -> None:
    gpu = dataclasses.replace(device, kind="gpu")
    case = BY_NAME[name]
    tried = run_all(case, gpu, case.tolerance)
    assert "simple" in tried
    assert tried & {"implicit_gemm", "product", "depthwise_gpu"}


@pytest.mark.parametrize("name", HALVES)
def test_halves(name: str, device: DeviceInfo) -> None:
    assert len(run_all(BY_NAME[name].halved(), device, 2e-3)) > 1


def test_filters_may_change_from_run_to_run(device: DeviceInfo) -> None:
    """Nothing of what was packed for one run is left in the next."""
    graph, feeds = BY_NAME["Conv-fed,_3x3_primes"].build()
    session = Session(graph, device)
    for factor in (1.0, -2.0, 0.5):
        given = {n: np.float32(factor) * a if n != "in0" else a for n, a in feeds.items()}
        for name, reference in run_reference(graph, given).items():
            assert relative_error(session.run(given)[name], reference) <= 2e-5

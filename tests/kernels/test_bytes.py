"""Convolutions of bytes are exact to the last bit: emulated everywhere, with the processor's instructions where it has them."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest

from clconv.cases import CASES
from clconv.device.info import DeviceInfo
from clconv.errors import KernelBuildError
from clconv.graph.reference import run_reference
from clconv.lowering.variants import VARIANTS
from clconv.probes.dot_probe import refusal
from clconv.runtime.check import relative_error
from clconv.runtime.opencl import open_device
from tests.kernels.support import plans, run

OPERATORS = ("ByteConv", "QuantizeLinear", "ByteConvToFloat", "ByteMatMulToFloat")
BYTE_CASES = [case for case in CASES if case.op in OPERATORS]


def able(device: DeviceInfo, dot: str) -> DeviceInfo:
    if not device.is_cpu or device.vector_width not in (8, 16):
        pytest.skip("the kernels are for CPUs with vectors of 8 or 16 lanes")
    if "Portable Computing Language" not in device.platform:
        pytest.skip("the kernels use clang's vectors, which are tried on PoCL only")
    if dot != "emulated" and device.dot != dot:
        pytest.skip("the processor has no instruction for bytes")
    return dataclasses.replace(device, dot=dot, dot_verified=True)


@pytest.mark.parametrize("dot", ["vnni", pytest.param("emulated", marks=pytest.mark.slow)])
def test_every_case_is_exact(dot: str, device: DeviceInfo) -> None:
    machine = able(device, dot)
    made = [(case, row) for case in BYTE_CASES for row in plans(case, machine)]
    assert {name for _, (name, _) in made} == {v.name for op in OPERATORS for v in VARIANTS[op]}
    with contextlib.suppress(KernelBuildError):  # many at a time; who is to blame shows below
        kernels = [call.kernel for _, (_, plan) in made for call in plan.calls]
        _held = open_device(machine).compiler.prepare(kernels)
    for case, (name, plan) in made:
        graph, feeds = case.build()
        (found,), (expected,) = run(plan, feeds).values(), run_reference(graph, feeds).values()
        # Sums are exact; a scaled one and a bias may be rounded together.
        most = 1e-6 if case.op.endswith("ToFloat") and "sums" not in case.label else 0
        assert relative_error(found, expected) <= most, f"{case.name}, variant {name}"


def test_the_probe_sees_that_emulated_products_are_exact(device: DeviceInfo) -> None:
    assert refusal(able(device, "emulated")) == ""

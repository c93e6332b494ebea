"""The measured ceiling of a device: the probes compute what they say, and the figures are sane."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.diagnosis.peak import Peak, _Probe, copied_floats, measure_peak
from clconv.graph.ops.base import Cost
from clconv.lowering.model.call import KernelCall
from clconv.lowering.peak_kernels import (
    ADDEND,
    CHAINS,
    FACTOR,
    peak_arithmetic_call,
    peak_copy_call,
    result_floats,
)
from clconv.runtime.opencl import open_device
from tests.lowering.support import AVX2, DEVICES
from tests.lowering.test_signatures import check


def result(device: DeviceInfo, call: KernelCall, floats: int, **given: np.ndarray) -> np.ndarray:
    """Value "y" after one launch with the given values."""
    opened = open_device(device)
    probe = _Probe(opened)
    queue = probe._queue  # the one that clears the buffers: another may overtake it
    buffers = probe.buffers(call)
    for name, array in given.items():
        queue.write(buffers[name], array, wait=True)
    launch = probe.bind(call, buffers)
    found = np.empty(floats, np.float32)
    queue.launch(*launch)
    queue.finish()
    queue.read(found, buffers["y"], wait=True)
    return found


@pytest.mark.parametrize("rounds", [0, 1, 7])
def test_arithmetic_does_every_round_of_every_chain(device: DeviceInfo, rounds: int) -> None:
    call = peak_arithmetic_call(device, rounds)
    chains = np.arange(1, CHAINS + 1, dtype=np.float64)
    for _ in range(rounds):
        chains = chains * FACTOR + ADDEND
    found = result(device, call, result_floats(device))
    np.testing.assert_allclose(found, chains.sum(), rtol=1e-6)
    assert call.cost.flops == 2 * CHAINS * rounds * result_floats(device)


def test_copy_moves_every_byte_once(device: DeviceInfo) -> None:
    call = peak_copy_call(device, 100_000)
    total = call.cost.bytes // 8
    assert 0.9 * 100_000 < total <= 100_000
    x = np.random.default_rng(0).standard_normal(total).astype(np.float32)
    assert np.array_equal(result(device, call, total, x=x), x)


def test_peak_is_what_a_processor_of_today_can_do(device: DeviceInfo) -> None:
    peak = measure_peak(device, repeats=2)
    assert 1e6 < peak.flops < 1e16
    assert 1e6 < peak.bytes < 1e14
    assert "GFLOP/s" in str(peak) and "GB/s" in str(peak)


def test_least_seconds_is_the_roofline() -> None:
    peak = Peak(flops=100e9, bytes=10e9)
    assert peak.least_seconds(Cost(200_000_000_000, 1)) == pytest.approx(2)
    assert peak.least_seconds(Cost(1, 5_000_000_000)) == pytest.approx(0.5)


@pytest.mark.parametrize("machine", DEVICES, ids=lambda d: d.name)
def test_probes_fill_the_device(machine: DeviceInfo) -> None:
    for call in (
        peak_arithmetic_call(machine, 10),
        peak_copy_call(machine, copied_floats(machine)),
    ):
        assert call.global_size[0] >= 8 * machine.compute_units
        assert call.local_size == ((1,) if machine.is_cpu else None)
        check(call)
    assert peak_copy_call(machine, 1).cost.bytes >= 8  # never an empty launch


def test_a_cpu_computes_in_its_own_vectors() -> None:
    assert dict(peak_arithmetic_call(AVX2, 1).kernel.parameters)["width"] == 8

"""Winograd's F(2,3) in one kernel as the vendors' GPUs take it: half of a transform in local memory, distances in the place of rows."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.cases import CASES, Case
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from clconv.diagnosis.doctor import examine
from clconv.lowering.lower import problem_of
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.conv.winograd_fused import WINOGRAD2_FUSED
from clconv.lowering.shared.tiles import memory_rate

INTEL: dict[str, object] = {"vendor": "Intel(R) Corporation"}
MAX: dict[str, object] = {**INTEL, "subgroup": 16}
# By what of a tile items hold and where half of the transform lies: the parameters through_local and scale of the kernel.
GPUS: dict[str, tuple[dict[str, object], bool, int]] = {
    "Intel's": (INTEL, True, 0),
    "Intel's, 16 items side by side": (MAX, False, 4),
    "RDNA 2": ({"vendor": "Advanced Micro Devices, Inc.", "name": "gfx1030"}, False, 4),
    "RDNA 3": ({"vendor": "Advanced Micro Devices, Inc.", "name": "gfx1100"}, False, 0),
    "NVIDIA's": ({"vendor": "NVIDIA Corporation"}, False, 1),
}
CASES_HERE: tuple[Case, ...] = (
    *(c for c in CASES if c.name in ("Conv-3x3_primes", "Conv-3x3_no_bias_valid", "Conv-deep_and_small")),
    # Tiles that lie wholly beside the image, on every side; steps with one channel of eight.
    conv("padded far", (2, 9, 5, 4), (33, 9, 3, 3), pads=(5, 4, 4, 7)),
    conv("one row", (3, 17, 1, 9), (5, 17, 3, 3), pads=(1, 0, 1, 2)),
)  # fmt: skip


def as_gpu(device: DeviceInfo, more: dict[str, object]) -> DeviceInfo:
    return dataclasses.replace(device, kind="gpu", **more)  # type: ignore[arg-type]


def problem_for(case: Case, device: DeviceInfo) -> Problem:
    graph, _ = case.build()
    return problem_of(graph, graph.nodes[0], device)


@pytest.mark.parametrize("precision", ("float32", "float16"))
@pytest.mark.parametrize("gpu", GPUS)
def test_it_agrees_with_the_reference(gpu: str, precision: str, device: DeviceInfo) -> None:
    more, through_local, scale = GPUS[gpu]
    able = as_gpu(device, more)
    if WINOGRAD2_FUSED.obstacle(problem_for(CASES_HERE[0], able)) is not None:
        pytest.skip("the device has no room for it")
    assert len(CASES_HERE) == 5
    for case in CASES_HERE:
        (call,) = WINOGRAD2_FUSED.lower(problem_for(case, able)).calls
        parameters = dict(call.kernel.parameters)
        assert (parameters["through_local"], parameters["scale"]) == (through_local, scale)
        result = examine(case, able, "winograd2_fused", precision=precision)
        assert result is not None and result.passed, result


def test_where_registers_are_few_images_repeat_no_pixels(device: DeviceInfo) -> None:
    reflected = conv("reflected", (1, 9, 8, 7), (9, 9, 3, 3), pads=(1,) * 4, pad_mode="reflect")
    far, near = (problem_for(reflected, as_gpu(device, more)) for more in (MAX, INTEL))
    assert "registers" in (WINOGRAD2_FUSED.obstacle(far) or "")
    if near.device.local_memory >= 1 << 15 and near.device.largest_work_group >= 256:
        assert WINOGRAD2_FUSED.obstacle(near) is None


def test_streams_cost_more_where_memory_is_slow(device: DeviceInfo) -> None:
    assert memory_rate(as_gpu(device, INTEL)) < memory_rate(as_gpu(device, MAX))

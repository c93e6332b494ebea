"""How convolutions are dealt out to cores: pixels of their own, and transformed tiles past the caches where they share them."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from clconv.cases.base import Case
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from clconv.graph.reference import run_reference
from clconv.lowering.model.arguments import Scalar
from clconv.runtime.check import relative_error
from clconv.session.session import Session
from tests.kernels.support import check_passes, plan_for
from tests.lowering.support import AVX512

ZEN4 = dataclasses.replace(AVX512, wide_verified=True, compute_units=2)
SAME = (1, 1, 1, 1)
TILED = (
    conv("one block of tiles", (1, 40, 14, 14), (33, 40, 3, 3), pads=SAME),
    conv("one tile", (1, 17, 3, 2), (16, 17, 3, 3), pads=SAME),
    conv("ragged", (1, 16, 9, 11), (48, 16, 3, 3), pads=(2, 0, 1, 1)),
    conv("images", (3, 19, 6, 7), (20, 19, 3, 3), bias=False),
    conv("many blocks of tiles", (1, 20, 70, 66), (17, 20, 3, 3), pads=SAME),
)


def streamed(case: Case, machine: DeviceInfo, variant: str) -> dict[int, bool]:
    """By blocks of tiles of a launch."""
    calls = plan_for(case.build()[0], machine, {"conv": variant}).calls
    inputs = [c for c in calls if c.kernel.template == "conv/winograd_input.cl.mako"]
    assert inputs
    return {c.global_size[1]: dict(c.kernel.parameters)["streamed"] for c in inputs}


@pytest.mark.parametrize("variant", ["winograd4", "winograd2"])
@pytest.mark.parametrize("case", TILED, ids=lambda case: case.label)
def test_transformed_tiles_agree_with_the_reference(
    case: Case, variant: str, device: DeviceInfo
) -> None:
    if not device.is_cpu:
        pytest.skip("channel blocks are for CPU devices")
    check_passes(case, device, variant)


@pytest.mark.parametrize("workers", [2, 3])
def test_what_goes_past_the_caches_is_there_when_it_is_read(
    device: DeviceInfo, workers: int
) -> None:
    """By other workers, run after run."""
    if not device.is_cpu:
        pytest.skip("channel blocks are for CPU devices")
    graph, feeds = TILED[0].build()
    session = Session(graph, dataclasses.replace(device, compute_units=workers))
    for run in range(60):
        given = {name: array * np.float32(1 + run) for name, array in feeds.items()}
        for name, expected in run_reference(graph, given).items():
            assert relative_error(session.run(given)[name], expected) <= 2e-5


def test_they_go_there_where_cores_share_them() -> None:
    found = dict[int, bool]()
    for case, variant in itertools.product(TILED, ("winograd4", "winograd2")):
        found |= streamed(case, ZEN4, variant)
        for other in (AVX512, dataclasses.replace(ZEN4, base_alignment=32)):
            assert not any(streamed(case, other, variant).values())
    assert len(found) > 2 and all(past == (blocks == 1) for blocks, past in found.items())


@pytest.mark.parametrize("cores", [2, 3, 4])
@pytest.mark.parametrize(
    ("channels", "filters", "size"),
    [(64, 256, 56), (128, 512, 28), (24, 144, 56), (256, 64, 56), (16, 96, 112), (96, 24, 57)],
)
def test_each_core_has_pixels_of_its_own(
    cores: int, channels: int, filters: int, size: int
) -> None:
    case = conv("pixels", (1, channels, size, size), (filters, channels, 1, 1))
    machine = dataclasses.replace(ZEN4, compute_units=cores)
    calls = plan_for(case.build()[0], machine, {"conv": "direct"}).calls
    (call,) = (c for c in calls if c.kernel.template == "conv/direct.cl.mako")
    arguments = dict(call.arguments)
    last = arguments["filters_last"]
    assert isinstance(last, Scalar) and not last.value
    assert call.global_size[1] % cores == 0

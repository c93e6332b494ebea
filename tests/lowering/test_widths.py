"""Every case renders on narrow and wide CPUs too, with arguments named as the kernels name them."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.device.info import DeviceInfo
from tests.lowering.every_call import calls_of
from tests.lowering.support import AVX512, NEON
from tests.lowering.test_signatures import DEVICE_OPS, cases_of, check

NARROW = dataclasses.replace(NEON, extensions=AVX512.extensions)  # cases of float64 need it


@pytest.mark.parametrize("machine", [NARROW, AVX512], ids=lambda d: d.name)
@pytest.mark.parametrize("op", DEVICE_OPS)
def test_signatures_match_the_calls_at_every_width(
    op: str, machine: DeviceInfo, pytestconfig: pytest.Config
) -> None:
    seen = set()
    for case in cases_of(op, pytestconfig):
        for call in calls_of(case, machine):
            assert all(size > 0 for size in call.global_size), case.name
            if call.kernel not in seen:
                seen.add(call.kernel)
                check(call)

"""Devices on which launches are joined."""

from __future__ import annotations

import pytest

from clconv.device.info import DeviceInfo
from clconv.planning import persistent


@pytest.fixture
def waking(device: DeviceInfo) -> DeviceInfo:
    if not persistent.is_wanted(device):
        pytest.skip(f"{device} does not wake slowly: it gets a launch for each kernel")
    return device

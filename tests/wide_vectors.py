"""This machine's processor as one whose AVX-512 PoCL's compiler does not use by itself."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.device.info import DeviceInfo, wide_of, widened
from clconv.device.processor import this_processor


def with_wide_vectors(device: DeviceInfo) -> DeviceInfo:
    """The device, with AVX-512 as an attribute of functions; skips the test where there is none."""
    features = wide_of("haswell", this_processor().flags)
    if "Portable Computing Language" not in device.platform or not device.is_cpu or not features:
        pytest.skip("needs PoCL on a processor with AVX-512")
    return widened(dataclasses.replace(device, wide=features))

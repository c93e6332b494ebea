"""Which tests get optimised kernels."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clconv.device.info import DeviceInfo
from clconv.runtime.opencl.found import is_pocl
from tests.optimisation import FLAG, NOT_IN_QUICK, NOT_OPTIMISED, OPTIMISED, VARIABLE, is_optimised

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("place", [*OPTIMISED, *NOT_OPTIMISED, *NOT_IN_QUICK])
def test_what_is_listed_is_there(place: str) -> None:
    assert (ROOT / place).exists()


def test_every_kernel_and_network_is_run_as_users_have_it() -> None:
    kernels = "tests/kernels/test_cases.py::test_every_variant_agrees_with_the_reference[Conv-1x1]"
    network = "tests/conformance/test_onnx_cases.py::test_case[0-Portable-cpu-light/test_vgg19]"
    assert is_optimised(kernels) and is_optimised(network)
    assert is_optimised("tests/models/test_shared_models.py::test_a_network")
    assert not is_optimised("tests/session/test_session.py::test_a_session")
    joined = "tests/planning/test_persistent.py::test_a_plan"
    assert is_optimised(joined) and not is_optimised(joined, quick=True)


@pytest.mark.skipif("OCL_ICD_VENDORS" in os.environ, reason="of another OpenCL implementation")
def test_this_one_does_without(device: DeviceInfo) -> None:
    if is_pocl(device.platform):
        assert os.environ[VARIABLE]  # what the person who runs the tests has set stands
    else:
        assert os.environ.get(VARIABLE) != FLAG

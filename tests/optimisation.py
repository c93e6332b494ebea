"""Which tests take kernels as users have them, and which take kernels that PoCL compiled without optimisation.

PoCL's optimiser takes three quarters of the time of a compilation. Where kernels, networks or speed are the subject, it is at
work. Elsewhere sessions, passes, files, commands and refusals are, and the same kernels serve unoptimised. pyopencl reads
the variable for every build; other processes inherit it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from clconv.device.info import DeviceInfo

VARIABLE = "PYOPENCL_BUILD_OPTIONS"
FLAG = "-cl-opt-disable"
_ONE_IMPLEMENTATION = "OCL_ICD_VENDORS"  # names what is to be tested as it is

OPTIMISED = (
    "tests/diagnosis/test_pace.py",
    "tests/diagnosis/test_peak.py",
    "tests/examples",
    "tests/kernels",
    "tests/models",
    "tests/planning/test_persistent.py",
    "tests/planning/test_scarce_cores.py",
    "tests/probes/test_clock_probe.py",
    "tests/profiling",
    "tests/tuning",
)
NOT_OPTIMISED = (
    # Kernels for GPUs, whose indices are tested on a CPU: no user runs what its optimiser makes of them.
    "tests/kernels/test_as_gpu.py",
    "tests/kernels/test_epilogues.py",
    "tests/kernels/test_matrix_winograd.py",
    "tests/kernels/test_shuffles.py",
    "tests/kernels/test_tiles.py",
    # The same kernels as in test_cases.py with other types, parameters or sizes.
    "tests/kernels/convolutions",
    "tests/kernels/test_dtypes.py",
    "tests/kernels/test_fed_weights.py",
    "tests/kernels/test_half.py",
    "tests/kernels/test_locality.py",
    "tests/kernels/test_long_loops.py",
    "tests/kernels/test_movement.py",
    "tests/kernels/test_parameters.py",
    "tests/kernels/pools/test_pool_gradient.py",
    "tests/kernels/test_window_properties.py",
    "tests/kernels/test_winograd_weight_gradient.py",
    "tests/kernels/test_written_operators.py",
    # Passes and plans.
    "tests/models/test_random_graphs.py",
)
# In the quick run; in the whole they are as users have them. What others try optimised, put together in another way.
NOT_IN_QUICK = (
    "tests/models/test_half.py",
    "tests/models/test_quantised.py",
    "tests/planning/test_persistent.py",
    "tests/planning/test_scarce_cores.py",
)
_NETWORKS = "-light/"  # ONNX's own, in tests/conformance


def choose(item: pytest.Item) -> None:
    """Before a test begins: sets what compilers are told, and forgets what they compiled otherwise. Leaves the variable
    alone where the person who runs the tests has set it to something else, or chosen an OpenCL implementation."""
    if os.environ.get(VARIABLE, FLAG) != FLAG or _ONE_IMPLEMENTATION in os.environ:
        return
    callspec = getattr(item, "callspec", None)
    device = callspec.params.get("device") if callspec else None
    optimised = (
        is_optimised(item.nodeid, is_quick(item.config))
        or not _is_pocl(device)
        or item.config.getoption("--soak")
    )
    if optimised == (VARIABLE not in os.environ):
        return
    if optimised:
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = FLAG
    from clconv.runtime.opencl import context

    context._open_device.cache_clear()  # with its programs, which are known by their kernels alone


def is_quick(config: pytest.Config) -> bool:
    return not any(config.getoption(option) for option in ("-m", "--whole", "--soak"))


def is_optimised(place: str, quick: bool = False) -> bool:
    if _NETWORKS in place:
        return True
    without = (*NOT_OPTIMISED, *NOT_IN_QUICK) if quick else NOT_OPTIMISED
    return place.startswith(OPTIMISED) and not place.startswith(without)


@contextlib.contextmanager
def without(device: DeviceInfo) -> Iterator[None]:
    """Programs that are built in here are not optimised, where the device is PoCL's."""
    if VARIABLE in os.environ or _ONE_IMPLEMENTATION in os.environ or not _is_pocl(device):
        yield
        return
    os.environ[VARIABLE] = FLAG
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def _is_pocl(device: DeviceInfo | None) -> bool:
    return device is None or device.platform.startswith("Portable Computing Language")

"""Which tests take kernels as users have them, and which take kernels that PoCL compiled without optimisation.

PoCL's optimiser takes three quarters of the time of a compilation. Where kernels, networks or speed are the subject, it is at
work. Elsewhere sessions, passes, files, commands and refusals are, and the same kernels serve unoptimised. Other OpenCL
implementations do not read the variable; other processes inherit it.
"""

from __future__ import annotations

import os

import pytest

VARIABLE = "POCL_EXTRA_BUILD_FLAGS"
FLAG = "-cl-opt-disable"

OPTIMISED = (
    "tests/benchmarks",
    "tests/diagnosis",
    "tests/examples",
    "tests/kernels",
    "tests/models",
    "tests/planning/test_persistent.py",
    "tests/planning/test_scarce_cores.py",
    "tests/probes",
    "tests/profiling",
    "tests/soak",
    "tests/tuning",
)
# Graphs made at random are about passes and plans; kernels for GPUs run on a CPU for their indices: PoCL's optimiser sees
# what no user runs.
NOT_OPTIMISED = (
    "tests/kernels/test_as_gpu.py",
    "tests/kernels/test_gpu_epilogues.py",
    "tests/kernels/test_matrix_winograd.py",
    "tests/kernels/test_shuffles.py",
    "tests/kernels/test_tiles.py",
    "tests/models/test_random_graphs.py",
)
_NETWORKS = "-light/"  # ONNX's own, in tests/conformance


def choose(item: pytest.Item) -> None:
    """Before a test begins: sets what PoCL is told, and forgets what it compiled otherwise. Leaves the variable alone where
    the person who runs the tests has set it to something else."""
    if os.environ.get(VARIABLE, FLAG) != FLAG:
        return
    optimised = is_optimised(item.nodeid)
    if optimised == (VARIABLE not in os.environ):
        return
    if optimised:
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = FLAG
    from clconv.runtime.opencl import context

    context._open_device.cache_clear()  # with its programs, which are known by their kernels alone


def is_optimised(place: str) -> bool:
    if _NETWORKS in place:
        return True
    return place.startswith(OPTIMISED) and not place.startswith(NOT_OPTIMISED)

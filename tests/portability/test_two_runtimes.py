"""Two OpenCL implementations side by side: CLCONV_DEVICE picks either one, and both compute the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from clconv.device.info import DeviceInfo

POCL = Path(sysconfig.get_path("purelib"), "pyopencl", ".libs", "pocl.icd")
INTEL = Path(sys.prefix, "lib", "libintelocl.so")

PROGRAM = """
import json
import numpy as np
from clconv.frontend.layers import Conv2d, GlobalAvgPool2d, Relu, Sequential
from clconv.runtime.device import choose_device, devices
from clconv.session.session import Session

chosen = choose_device()
net = Sequential(Conv2d(24, 3, padding=1), Relu(), Conv2d(17, 1), GlobalAvgPool2d())
graph = net.build((3, 20, 20), 1)
x = np.linspace(-1, 1, 1200, dtype=np.float32).reshape(1, 3, 20, 20)
(y,) = Session(graph, chosen).run({graph.inputs[0]: x}).values()
print(json.dumps([chosen.platform, [d.platform for d in devices()], y.ravel().tolist()]))
"""


@pytest.fixture(scope="module")
def vendors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of .icd files; the loader of pyopencl's wheel adds the wheel's own PoCL to it."""
    if not INTEL.exists() or not POCL.exists():
        pytest.skip("needs PoCL and Intel's runtime: pip install 'clconv[test,portability]'")
    folder = tmp_path_factory.mktemp("vendors")
    (folder / "intel.icd").write_text(f"{INTEL}\n")
    return folder


def outcome(vendors: Path, wanted: str) -> tuple[str, list[str], list[float]]:
    """(platform used, all platforms, result) of the program with CLCONV_DEVICE set."""
    environment = {**os.environ, "OCL_ICD_VENDORS": str(vendors), "CLCONV_DEVICE": wanted}
    root = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    platform, platforms, values = json.loads(done.stdout.splitlines()[-1])
    return platform, platforms, values


def test_clconv_device_picks_either_runtime(vendors: Path) -> None:
    results = []
    for wanted, expected in (
        ("intel(r) opencl", "Intel(R) OpenCL"),
        ("Intel(R) OpenCL:cpu", "Intel(R) OpenCL"),
        ("pocl", "Portable Computing Language"),
        ("portable", "Portable Computing Language"),
        ("portable:0", "Portable Computing Language"),
    ):
        platform, platforms, values = outcome(vendors, wanted)
        assert platform == expected, wanted
        assert {"Intel(R) OpenCL", "Portable Computing Language"} <= set(platforms)
        results.append(values)
    for values in results[1:]:
        assert values == pytest.approx(results[0], rel=1e-5, abs=1e-7)


def test_each_index_is_another_device(vendors: Path) -> None:
    _, platforms, _ = outcome(vendors, "")
    for index, expected in enumerate(platforms):
        assert outcome(vendors, str(index))[0] == expected


def test_the_runtime_says_its_vectors_and_registers(device: DeviceInfo) -> None:
    """Register tiles rest on these: a width beyond what the processor has would spill every one."""
    if not device.is_cpu:
        pytest.skip("channel blocks are for CPU devices")
    assert device.vector_width in (4, 8, 16)
    full = device.vector_width == 16 and "halves-its-vectors" not in device.quirks
    assert device.registers == (32 if full else 16)


SPREAD = """
import json
import numpy as np
import clconv
from clconv.frontend.layers import Conv2d, GlobalAvgPool2d, Relu, Sequential

net = Sequential(Conv2d(24, 3, padding=1), Relu(), Conv2d(17, 1), GlobalAvgPool2d())
graph = net.build((3, 40, 40), 4)
session = clconv.load(graph)
used = []
run = clconv.Session.run
def counted(self, *arguments):
    used.append(self.device.platform)
    return run(self, *arguments)
clconv.Session.run = counted
x = np.random.default_rng(0).random((300, 3, 40, 40), np.float32)
found = np.concatenate([next(iter(o.values())) for o in session.run_batches(x)])
alone = clconv.load(graph, device="portable")
wanted = np.concatenate([next(iter(o.values())) for o in alone.run_batches(x)])
print(json.dumps([sorted(set(used)), float(abs(found - wanted).max() / abs(wanted).max())]))
"""


@pytest.mark.parametrize("wanted", ["intel(r) opencl,portable", "portable:0, intel(r) opencl:cpu"])
def test_batches_are_spread_over_both_in_one_process(vendors: Path, wanted: str) -> None:
    environment = {**os.environ, "OCL_ICD_VENDORS": str(vendors), "CLCONV_DEVICE": wanted}
    root = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", SPREAD], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    platforms, error = json.loads(done.stdout.splitlines()[-1])
    assert platforms == ["Intel(R) OpenCL", "Portable Computing Language"]
    assert error < 1e-5

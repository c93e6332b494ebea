"""Programs that other processes build first, for drivers that build one after another in a process."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from clconv.device.info import DeviceInfo
from clconv.device.quirks import apply_quirks
from clconv.errors import KernelBuildError
from clconv.lowering.model.call import StoredKernel, StoredProgram
from clconv.runtime.opencl import Compiler, beside, compiler, open_device
from clconv.runtime.opencl.driver_cache import QUIRK, Elsewhere
from clconv.runtime.opencl.helper import SPARE

SOURCE = "kernel void {0}(global int *x) {{ x[0] += {1}; }}"


@pytest.fixture
def gpus(device: DeviceInfo) -> Compiler:
    """This device's, taken for a GPU of such a driver."""
    opened = open_device(device)
    info = dataclasses.replace(device, kind="gpu", platform="of a GPU", quirks=frozenset({QUIRK}))
    return Compiler(info, opened.context, opened.context.devices[0])


def kernels(*bodies: str, name: str = "k") -> list[StoredKernel]:
    symbols = [f"{name}{i}" for i in range(len(bodies))]
    return [
        StoredKernel.in_program(k, "test.cl", 1, StoredProgram(SOURCE.format(k, body)))
        for k, body in zip(symbols, bodies, strict=True)
    ]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Elsewhere]:
    """What was given to other processes; all builds count as long, and two cores are free."""
    found: list[Elsewhere] = []

    class Noted(Elsewhere):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.given = set(self._jobs)
            found.append(self)

    monkeypatch.setattr(compiler, "Elsewhere", Noted)
    monkeypatch.setattr(compiler, "LONG", -1.0)
    monkeypatch.setattr(beside, "spare_cores", lambda: 2)
    return found


def test_nvidia_has_the_quirk_and_others_have_not() -> None:
    gpu = DeviceInfo("a GPU", "", "", "", "", "gpu")
    assert QUIRK in apply_quirks(dataclasses.replace(gpu, platform="NVIDIA CUDA")).quirks
    assert QUIRK not in apply_quirks(dataclasses.replace(gpu, platform="AMD OpenCL")).quirks
    assert (
        QUIRK
        not in apply_quirks(dataclasses.replace(gpu, platform="NVIDIA CUDA", kind="cpu")).quirks
    )


def test_others_build_a_share_and_all_is_there(gpus: Compiler, asked: list[Any]) -> None:
    wanted = kernels(*map(str, range(8)))
    steps: list[tuple[int, int]] = []
    found = gpus.prepare(wanted, lambda done, total: steps.append((done, total)))
    (others,) = asked
    assert len(others) == 2 and 3 <= len(others.given) <= 6 and not others._jobs
    assert set(found) == set(wanted) and steps == [(i, 8) for i in range(9)]
    for kernel in wanted:
        assert found[kernel].kernel(kernel).function_name == kernel.symbol
    assert gpus.prepare(wanted) == found and len(asked) == 1  # nothing is built again


def test_what_the_driver_had_kept_is_not_built_elsewhere(
    gpus: Compiler, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, "LONG", 1e9)
    assert len(gpus.prepare(kernels(*map(str, range(8))))) == 8
    assert not any(map(len, asked))


def test_a_thread_that_may_start_no_process_starts_none(gpus: Compiler, asked: list[Any]) -> None:
    before = SPARE.set(0)
    try:
        assert len(gpus.prepare(kernels(*map(str, range(8))))) == 8
    finally:
        SPARE.reset(before)
    assert not any(map(len, asked))


def test_processes_that_die_or_cannot_start_are_done_without(
    gpus: Compiler, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(beside.Helper):
        def give(self, job: Any) -> int:
            self._process.kill()
            return super().give(job)

    monkeypatch.setattr(beside, "Helper", Dying)
    assert len(gpus.prepare(kernels(*map(str, range(8))))) == 8

    def none(device: DeviceInfo, patience: float) -> Any:
        raise OSError("no more processes")

    monkeypatch.setattr(beside, "Helper", none)
    assert len(gpus.prepare(kernels(*map(str, range(8)), name="other"))) == 8
    assert len(asked) == 2


def test_what_is_refused_there_is_told_here(gpus: Compiler, asked: list[Any]) -> None:
    wanted = kernels(*map(str, range(1000, 1007)), "y")  # which is not built first
    with pytest.raises(KernelBuildError, match=r"x\[0\] \+= y"):
        gpus.prepare(wanted)
    (others,) = asked
    assert all(not helper.is_there for helper in others._working)

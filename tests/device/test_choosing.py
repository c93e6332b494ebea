"""Choosing among made-up devices, and what the error says when none fits."""

from __future__ import annotations

import re

import numpy as np
import pytest

from clconv import config
from clconv.device.info import DeviceInfo
from clconv.device.quirks import apply_quirks
from clconv.errors import ClconvError, ConfigError, DeviceError
from clconv.runtime.device import (
    choose_among,
    choose_device,
    choose_devices,
    choose_several,
    devices,
    what_to_install,
)
from tests.lowering.support import made_up

POCL = "Portable Computing Language"
FOUND = (
    made_up("pthread-AMD EPYC 7763", kind="cpu", platform=POCL, vendor="AuthenticAMD", index=0,
            compute_units=64),
    made_up("NVIDIA H200", kind="gpu", platform="NVIDIA CUDA", vendor="NVIDIA Corporation", index=1,
            compute_units=132),
    made_up("gfx1030", kind="gpu", platform="AMD Accelerated Parallel Processing",
            vendor="Advanced Micro Devices, Inc.", index=2, compute_units=40),
    made_up("gfx90a", kind="gpu", platform="AMD Accelerated Parallel Processing",
            vendor="Advanced Micro Devices, Inc.", index=3, compute_units=110),
    made_up("Intel(R) FPGA", kind="accelerator", platform="Intel(R) FPGA SDK", vendor="Intel", index=4,
            compute_units=500),
    made_up("AMD EPYC 7763", kind="cpu", platform="Intel(R) OpenCL", vendor="Intel(R) Corporation",
            index=5, compute_units=64),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("", 1),
        ("gpu", 1),
        ("GPU", 1),
        ("cpu", 0),
        ("5", 5),
        ("gpu:0", 1),
        ("GPU:2", 3),
        ("cpu:1", 5),
        ("nvidia", 1),
        ("GFX1030", 2),
        ("amd accelerated", 3),
        ("portable", 0),
        ("intel:epyc", 5),
        ("portable computing language:epyc", 0),
        ("amd:0", 2),
        ("amd:1", 3),
        ("intel(r) opencl:0", 5),
        ("intel(r) opencl:cpu", 5),
        ("intel(r) opencl:", 5),
        (f"{POCL}:pthread-AMD EPYC 7763", 0),
    ],
)
def test_a_text_names_a_device(text: str, index: int) -> None:
    assert choose_among(FOUND, text).index == index


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("gpu:1,gpu:0", [2, 1]),
        (" gpu , intel:epyc ", [1, 5]),
        ("all", [1, 3, 2, 4, 0, 5]),
        ("advanced micro devices, inc.", [3]),  # a vendor with a comma
        ("0,0", [0, 0]),
    ],
)
def test_a_text_names_several_devices(text: str, indices: list[int]) -> None:
    assert [d.index for d in choose_several(FOUND, text.strip())] == indices


def test_what_names_no_device_is_an_error_of_ours(device: DeviceInfo) -> None:
    assert choose_devices(np.int64(device.index)) == (device,)
    for wanted in (float("nan"), 1.5, object()):
        with pytest.raises(DeviceError, match="no OpenCL device matches"):
            choose_devices(wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", [16, "float8", b"float32"])
def test_what_is_no_precision_is_an_error_of_ours(precision: object) -> None:
    with pytest.raises(ConfigError, match="no precision; there are float32"):
        config.chosen_precision(precision)  # type: ignore[arg-type]


def test_a_list_of_devices(device: DeviceInfo) -> None:
    assert choose_devices([device, device.index]) == (device, device)
    with pytest.raises(DeviceError, match="empty"):
        choose_devices([])
    with pytest.raises(DeviceError, match="'voodoo'"):
        choose_several(FOUND, "gpu,voodoo")
    with pytest.raises(DeviceError, match="no OpenCL device found"):
        choose_several((), "all")


def test_a_gpu_is_preferred_then_an_accelerator_then_more_compute_units_then_the_first() -> None:
    assert choose_among(FOUND[2:], "").index == 3
    assert choose_among([FOUND[0], FOUND[4], FOUND[5]], "").index == 4
    assert choose_among([FOUND[5], FOUND[0]], "").index == 0


@pytest.mark.parametrize(
    "text", ["voodoo", "6", "intel:gpu", "amd:2", "nvidia:cpu", "gpu:3", "²", "-1", ":x:"]
)
def test_nothing_matching_lists_what_there_is(text: str) -> None:
    with pytest.raises(DeviceError) as raised:
        choose_among(FOUND, text)
    message = str(raised.value)
    assert repr(text) in message
    assert all(device.name in message for device in FOUND)
    assert "1: NVIDIA CUDA:NVIDIA H200 (gpu)" in message
    assert "pip install" not in message  # a CPU is among them
    with pytest.raises(DeviceError, match=r"pip install 'clconv\[pocl\]'"):
        choose_among([d for d in FOUND if d.kind != "cpu"], text)


def test_no_device_at_all_says_what_to_install() -> None:
    with pytest.raises(
        DeviceError, match=r"no OpenCL device found; .*pip install 'clconv\[pocl\]'"
    ):
        choose_among((), "gpu")


def test_the_variable_is_read_and_an_argument_goes_before_it(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_DEVICE", "voodoo")
    with pytest.raises(DeviceError, match="'voodoo'"):
        choose_device()
    assert choose_device(device) is device
    assert choose_device(str(device.index)) == device
    monkeypatch.setenv("CLCONV_DEVICE", f" {device.platform}:{device.name} ")
    assert choose_device().name == device.name


def test_devices_say_what_lowering_needs(device: DeviceInfo) -> None:
    assert device in devices()
    assert device.vector_width in (1, 2, 4, 8, 16)
    assert device.kind in ("cpu", "gpu", "accelerator")
    assert 0 < device.largest_allocation <= device.global_memory
    assert device.base_alignment >= 128 and device.compute_units >= 1


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("CLCONV_DEBUG", "loud", "not a level from 0 to 5"),
        ("CLCONV_DEBUG", "6", "not a level from 0 to 5"),
        ("CLCONV_DEBUG", "-1", "not a level from 0 to 5"),
        ("CLCONV_CHECK", "maybe", "neither 1 nor 0"),
        ("CLCONV_VARIANT", "simple", "'simple' is not operator:variant"),
        ("CLCONV_VARIANT", "conv:", "'conv:' is not operator:variant"),
        ("CLCONV_VARIANT", "conv:simple,", "'' is not operator:variant"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(
    name: str, text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = next(s for s in config.SETTINGS if s.name == name)
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigError) as raised:
        setting.get()
    assert isinstance(raised.value, ClconvError)
    assert f"{name}={text!r}" in str(raised.value)
    assert says in str(raised.value) and setting.doc in str(raised.value)


def test_settings_read_as_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.DEBUG.get() == 0 and config.CHECK.get() is False
    assert config.DUMP.get() is None and config.VARIANT.get() == {}
    monkeypatch.setenv("CLCONV_DEBUG", " 3 ")
    monkeypatch.setenv("CLCONV_CHECK", "On")
    monkeypatch.setenv("CLCONV_VARIANT", "Conv:Simple, MaxPool : blocked")
    monkeypatch.setenv("CLCONV_DUMP", "  ")
    assert config.DEBUG.get() == 3 and config.CHECK.get() is True
    assert config.VARIANT.get() == {"conv": "simple", "maxpool": "blocked"}
    assert config.DUMP.get() is None
    assert len({s.name for s in config.SETTINGS}) == len(config.SETTINGS)


def test_an_interpreter_is_chosen_only_by_name() -> None:
    debugger = apply_quirks(made_up("Oclgrind Simulator", platform="Oclgrind", kind="accelerator"))
    cpu = made_up("pthread", platform=POCL, kind="cpu", index=1)
    assert choose_among((debugger, cpu), "") is cpu
    assert choose_among((debugger, cpu), "oclgrind") is debugger


def test_a_platform_goes_by_its_version_too() -> None:
    pocl = made_up("pthread", platform=POCL, platform_version="OpenCL 3.0 PoCL 3.0-rc2", kind="cpu")
    other = made_up("EPYC", platform="Intel(R) OpenCL", kind="cpu", index=1, compute_units=9)
    assert choose_among((other, pocl), "pocl") is pocl
    assert choose_among((other, pocl), "pocl:0") is pocl


def test_a_cpu_has_vectors_whatever_it_says() -> None:
    assert apply_quirks(made_up("llvmpipe", kind="cpu", vector_width=1)).vector_width == 4
    assert apply_quirks(made_up("EPYC", kind="cpu", vector_width=16)).vector_width == 16
    assert apply_quirks(made_up("H200", kind="gpu", vector_width=1)).vector_width == 1


def test_llvmpipe_gets_the_kernels_of_gpus_but_is_no_gpu() -> None:
    pipe = apply_quirks(made_up("llvmpipe (LLVM 15.0.6, 256 bits)", kind="cpu", vector_width=1))
    assert not pipe.is_cpu and pipe.kind == "cpu" and pipe.most_rounds == 65535
    other = made_up("EPYC", kind="cpu", index=1, compute_units=9)
    assert choose_among((pipe, other), "") is other
    gpu = apply_quirks(made_up("AMD Radeon", platform="rusticl", kind="gpu"))
    assert gpu.most_rounds == 0 and "runs-items-in-lanes" not in gpu.quirks


def test_intels_runtime_has_half_the_registers_on_amds_processors() -> None:
    def registers(name: str, platform: str, lanes: int) -> int:
        cpu = made_up(name, kind="cpu", platform=platform, vector_width=lanes)
        return apply_quirks(cpu).registers

    assert registers("AMD EPYC", "Intel(R) OpenCL", 16) == 16
    assert registers("AMD EPYC", "Intel(R) OpenCL", 8) == 16
    assert registers("Intel(R) Xeon(R)", "Intel(R) OpenCL", 16) == 32
    assert registers("AMD EPYC", "another", 16) == 32


@pytest.mark.parametrize(
    ("system", "machine", "cure"),
    [
        ("linux", "x86_64", r"pip install 'clconv\[pocl\]'"),
        ("linux", "aarch64", "apt-get install pocl-opencl-icd"),
        ("darwin", "arm64", "OpenCL of its own"),
        ("win32", "AMD64", "graphics driver"),
        ("freebsd14", "amd64", "distribution's PoCL"),
    ],
)
def test_each_system_has_its_own_cure(system: str, machine: str, cure: str) -> None:
    assert re.search(cure, what_to_install(system, machine))
    assert ("clconv[pocl]" in what_to_install(system, machine)) == (cure.startswith("pip"))

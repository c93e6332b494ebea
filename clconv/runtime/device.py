"""Which device to use: by CLCONV_DEVICE, by an argument, or the best there is."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterable, Sequence

from clconv import config
from clconv.debug import LOGGER
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError
from clconv.runtime import opencl
from clconv.store.pocl_folder import settle_folder

_HOW = "say part of a name, gpu, cpu, gpu:0, an index, or platform:device"

Wanted = str | int | DeviceInfo


def what_to_install(system: str = sys.platform, machine: str = "") -> str:
    """What brings an OpenCL device on an operating system (as sys.platform) and a processor; by default this one's."""
    if system == "darwin":
        return (
            "macOS has OpenCL of its own, which pyopencl from PyPI finds; with conda: "
            "conda install -c conda-forge pyopencl ocl_icd_wrapper_apple"
        )
    if system == "win32":
        return (
            "on Windows OpenCL comes with the graphics driver of AMD, Intel or NVIDIA: install or update it; for the "
            "CPU there is Intel's CPU Runtime for OpenCL"
        )
    if system == "linux" and (machine or os.uname().machine) in ("x86_64", "AMD64"):
        return "a CPU can run OpenCL with: pip install 'clconv[pocl]'"
    return (
        "a CPU can run OpenCL with the distribution's PoCL, on Debian and Ubuntu: "
        "apt-get install pocl-opencl-icd"
    )


def devices() -> tuple[DeviceInfo, ...]:
    """Every OpenCL device of every platform."""
    return opencl.device_infos()


def found_again(device: DeviceInfo) -> DeviceInfo:
    """The device, where it stands among those of this process. Raises DeviceError if it is not here."""

    def identity(info: DeviceInfo) -> tuple[str, ...]:
        return info.platform, info.name, info.vendor, info.kind

    here = [d for d in devices() if identity(d) == identity(device)]
    if not here:
        raise DeviceError(f"no device {device} in this process; {_listing(devices())}")
    nearest = min(here, key=lambda d: abs(d.index - device.index))
    return dataclasses.replace(device, index=nearest.index)


def choose_device(wanted: Wanted | Sequence[Wanted] | None = None) -> DeviceInfo:
    """The device that `wanted`, else CLCONV_DEVICE, names; without either the best. Of several, the first.

    wanted: as for choose_devices(). Raises DeviceError listing what there is.
    """
    return choose_devices(wanted)[0]


def choose_devices(wanted: Wanted | Sequence[Wanted] | None = None) -> tuple[DeviceInfo, ...]:
    """All devices that `wanted`, else CLCONV_DEVICE, names.

    wanted: part of a name, "gpu", "cpu", "gpu:0" for the first of a kind, an index, or "platform:device" with parts of
    both names or an index behind the colon: the best that matches. Several in a list, or in a text with commas. "all":
    every device but interpreters, the best first. Raises DeviceError listing what there is.
    """
    if isinstance(wanted, DeviceInfo):
        return (wanted,)
    if isinstance(wanted, Iterable) and not isinstance(wanted, str):
        if not wanted:
            raise DeviceError(f"the list of devices is empty; {_HOW}")
        return tuple(found for one in wanted for found in choose_devices(one))
    text = (config.DEVICE.get() if wanted is None else str(wanted)).strip()
    found = devices()
    chosen = choose_several(found, text)
    asked = f"CLCONV_DEVICE={text}" if wanted is None else f"asked for {text!r}"
    for info in chosen:
        LOGGER.info(
            "device %d: %s, driver %s (%s)",
            info.index, info, info.driver, asked if text else f"the best of {len(found)}",
        )  # fmt: skip
    return chosen


def choose_several(found: Sequence[DeviceInfo], text: str) -> tuple[DeviceInfo, ...]:
    """The devices that a selection text names among those found, "all" or several with commas. Raises DeviceError."""
    if text.lower() == "all" and found:
        useful = [d for d in found if "interprets" not in d.quirks] or found
        return tuple(sorted(useful, key=_preference, reverse=True))
    parts = [part.strip() for part in text.split(",")]
    whole = len(parts) == 1 or any(_matches(d, text, found) for d in found)  # a name with a comma
    return tuple(
        choose_among(found, part) for part in ([text] if whole else parts if all(parts) else [text])
    )


def choose_among(found: Sequence[DeviceInfo], text: str) -> DeviceInfo:
    """The device that a selection text names among those found. Raises DeviceError."""
    if not found:
        raise DeviceError(f"no OpenCL device found; {what_to_install()}{settle_folder().remark}")
    matching = [d for d in found if _matches(d, text, found)] if text else list(found)
    if not matching:
        cure = _HOW if any(d.kind == "cpu" for d in found) else f"{_HOW}; {what_to_install()}"
        raise DeviceError(f"no OpenCL device matches {text!r}; {_listing(found)}; {cure}")
    return max(matching, key=_preference)


def _matches(device: DeviceInfo, text: str, found: Sequence[DeviceInfo]) -> bool:
    lowered = text.lower()
    if lowered in ("gpu", "cpu"):
        return device.kind == lowered
    if lowered.isdecimal():
        return device.index == int(lowered)
    platform, colon, name = lowered.partition(":")
    if colon and platform in ("gpu", "cpu") and name.isdecimal():
        before = [d for d in found if d.kind == platform and d.index < device.index]
        return device.kind == platform and len(before) == int(name)
    if colon:
        if platform not in f"{device.platform} {device.platform_version}".lower():
            return False
        if name.isdecimal():
            return _position_on_platform(device, found) == int(name)
        return name in ("", device.kind) or name in device.name.lower()
    named = (device.name, device.vendor, device.platform, device.platform_version)
    return any(lowered in part.lower() for part in named)


def _position_on_platform(device: DeviceInfo, found: Sequence[DeviceInfo]) -> int:
    return sum(d.platform == device.platform and d.index < device.index for d in found)


def _preference(device: DeviceInfo) -> tuple[int, int, int]:
    """GPUs before accelerators before CPUs, interpreters last; then more compute units; then the first."""
    kind = -1 if "interprets" in device.quirks else {"gpu": 2, "accelerator": 1}.get(device.kind, 0)
    return kind, device.compute_units, -device.index


def _listing(found: Sequence[DeviceInfo]) -> str:
    return "there are " + ", ".join(f"{d.index}: {d.platform}:{d.name} ({d.kind})" for d in found)

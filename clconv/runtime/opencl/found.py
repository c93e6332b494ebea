"""Which devices there are, and what is known of each."""

from __future__ import annotations

import functools
from typing import Any

import pyopencl as cl

from clconv.device.info import (
    DeviceInfo,
    dot_of,
    gpu_dot,
    half_matrix,
    intel_matrix,
    nvidia_matrix,
    shuffle_of,
    wide_of,
)
from clconv.device.processor import this_processor
from clconv.device.quirks import apply_quirks
from clconv.runtime import process
from clconv.store.pocl_folder import settle_folder

_KINDS = {cl.device_type.GPU: "gpu", cl.device_type.CPU: "cpu"}


@functools.cache
def raw_devices() -> tuple[Any, ...]:
    place = settle_folder()  # before OpenCL is touched
    with process.opencl:
        try:
            platforms = cl.get_platforms()
        except cl.Error:  # no ICD at all
            return ()
        found = []
        for platform in platforms:
            try:
                found.extend(platform.get_devices())
            except cl.Error:  # a platform without devices
                continue
    if any(is_pocl(device.platform.name) for device in found):
        place.tell()
    return tuple(found)


def library_version() -> tuple[int, ...]:
    """Of pyopencl."""
    return tuple(cl.VERSION)


def is_pocl(platform: str) -> bool:
    return "portable computing language" in platform.lower()


def device_infos() -> tuple[DeviceInfo, ...]:
    """Every device of every platform, in the order the platforms report them. Raises ForkError."""
    process.opencl.check()
    return _device_infos()


@functools.cache
def _device_infos() -> tuple[DeviceInfo, ...]:
    return tuple(_describe(device, i) for i, device in enumerate(raw_devices()))


def _describe(device: Any, index: int) -> DeviceInfo:
    def ask(name: str, default: Any) -> Any:
        try:
            return getattr(device, name)
        except cl.Error:
            return default

    extensions = frozenset(ask("extensions", "").split())
    capability = (0, 0)
    if "cl_nv_device_attribute_query" in extensions:
        capability = (
            ask("compute_capability_major_nv", 0),
            ask("compute_capability_minor_nv", 0),
        )
    platform = device.platform.name.strip()
    kind = _KINDS.get(device.type & ~cl.device_type.DEFAULT, "accelerator")
    version = ask("version", "").strip()
    halves = half_matrix(device.name.strip(), extensions) if kind == "gpu" else frozenset[str]()
    info = DeviceInfo(
        name=device.name.strip(),
        vendor=device.vendor.strip(),
        platform=platform,
        platform_version=device.platform.version.strip(),
        driver=ask("driver_version", "").strip(),
        kind=kind,
        version=version,
        compute_units=ask("max_compute_units", 1),
        vector_width=max(1, ask("native_vector_width_float", 4)),
        global_memory=ask("global_mem_size", 0),
        largest_allocation=ask("max_mem_alloc_size", 0),
        cache=ask("global_mem_cache_size", 0),
        local_memory=ask("local_mem_size", 0),
        largest_work_group=ask("max_work_group_size", 1),
        base_alignment=max(128, ask("mem_base_addr_align", 1024) // 8),
        extensions=extensions,
        half="cl_khr_fp16" in extensions,
        matrix=nvidia_matrix(capability) | intel_matrix(extensions) | halves,
        shuffle=shuffle_of(capability, extensions),
        dot=gpu_dot(device.name.strip(), capability, extensions)
        if kind == "gpu"
        else dot_of(platform, kind, version, this_processor().flags),
        wide=wide_of(version, this_processor().flags)
        if kind == "cpu" and is_pocl(platform)
        else "",
        index=index,
    )
    return apply_quirks(info)

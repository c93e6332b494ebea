"""What devices do otherwise than they say: how each is recognised, and its cure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from clconv.device.info import OLD_TARGETS, DeviceInfo
from clconv.device.processor import this_processor
from clconv.records import record


@record(frozen=True)
class Quirk:
    """One device's misbehaviour: how to recognise it, its cure, and when the row can go."""

    name: str
    applies: Callable[[DeviceInfo], bool]
    symptom: str
    until: str
    cure: Callable[[DeviceInfo], DeviceInfo] = lambda device: device


def _is_pocl(device: DeviceInfo) -> bool:
    return "Portable Computing Language" in device.platform


def _is_pocl_cpu(device: DeviceInfo) -> bool:
    return _is_pocl(device) and device.is_cpu


def _pocl_without_avx512(device: DeviceInfo) -> bool:
    """PoCL appends LLVM's name of the processor that it generates code for to the driver's version."""
    return _is_pocl(device) and OLD_TARGETS.search(device.version) is not None


QUIRKS: tuple[Quirk, ...] = (
    Quirk(
        "avx2-code-only",
        lambda d: d.vector_width > 8 and _pocl_without_avx512(d),
        "reports 16 float lanes of the host, but its LLVM generates code for an AVX2 processor: a kernel has 16 lanes only "
        "where probes/wide_probe.py finds that its functions may be compiled for AVX-512",
        "pip PoCL ships an LLVM that knows the processor",
        lambda d: dataclasses.replace(d, vector_width=8),
    ),
    Quirk(
        "halves-its-vectors",
        lambda d: (
            d.platform.startswith("Intel(R) OpenCL") and d.vector_width > 8 and "AMD" in d.name
        ),
        "reports 16 float lanes, but keeps them in two registers of 8 on AMD's processors: tiles for 32 registers spill "
        "(measured on an EPYC: ResNet-18's and MobileNetV2's convolutions took 1.3 to 2.6 times as long)",
        "clconv tune finds no gain in smaller tiles there",
    ),
    Quirk(
        "halves-512-bits",
        lambda d: _is_pocl_cpu(d) and this_processor().halves_512_bits,
        "a multiply-add of 16 float lanes takes two steps: twice the registers, but no higher rate (Zen 4, mobile Zen 5)",
        "never: it is how these processors work",
    ),
    Quirk(
        "hides-its-vectors",
        lambda d: d.is_cpu and d.vector_width < 4,
        "a CPU that reports no float vectors, as rusticl's llvmpipe does; channel blocks need some",
        "no CPU reports fewer than four lanes",
        lambda d: dataclasses.replace(d, vector_width=4),
    ),
    Quirk(
        "runs-items-in-lanes",
        lambda d: d.kind == "cpu" and d.name.startswith("llvmpipe"),
        "a CPU that runs work-items side by side in the lanes of its vectors, and ends a work-item's loops without an "
        "error after 65,535 rounds of all of them together (Mesa's LP_MAX_TGSI_LOOP_ITERATIONS): what gives an item "
        "much to do is slow and, where it is large, wrong. It gets the kernels for GPUs, and is refused what has an "
        "item go through its loops more often",
        "tests/kernels/test_long_loops.py passes without most_rounds",
        lambda d: dataclasses.replace(d, most_rounds=65535),
    ),
    Quirk(
        "hides-its-cache",
        lambda d: d.platform.startswith("Intel(R) OpenCL"),
        "reports a core's own cache, not the large one that all share",
        "it reports more than a few megabytes on a server's processor",
        lambda d: dataclasses.replace(d, cache=0),
    ),
    Quirk(
        "spills-at-32-lanes",
        lambda d: "Data Center GPU Max" in d.name,
        "its compiler runs 32 work-items side by side although their registers then do not suffice",
        "ocloc for pvc spills nothing without it in benchmarks/offline_compile.py",
        lambda d: dataclasses.replace(d, subgroup=16),
    ),
    Quirk(
        "builds-one-at-a-time",
        lambda d: d.kind == "gpu" and "NVIDIA" in d.platform,
        "builds one program after another in a process, however many threads ask (on an H200 eight took 4.3 s, one 0.5); what was "
        "built it finds again on the disk: other processes build first (runtime/opencl/driver_cache.py)",
        "eight builds in eight threads take less than eight one after another",
    ),
    Quirk(
        "builds-at-first-launch",
        _is_pocl,
        "generates a kernel's machine code at its first launch, once per local size",
        "never: it is how PoCL works",
    ),
    Quirk(
        "prefetch-does-nothing",
        _is_pocl_cpu,
        "OpenCL's prefetch() is empty there; clang's builtin makes the instruction",
        "a loop with prefetch() has prefetch instructions in PoCL's cache",
    ),
    Quirk(
        "small-pages",
        _is_pocl_cpu,
        "its buffers lie on pages of 4 KiB, which takes networks 3 to 6 % longer: large ones get memory of ours on huge "
        "pages (runtime/pages.py)",
        "PoCL asks for huge pages itself",
    ),
    Quirk(
        "wakes-slowly",
        lambda d: (
            _is_pocl_cpu(d) and re.search(r"-(x86_64|aarch64)-\S*linux", d.version) is not None
        ),
        "its threads sleep between launches and need some 25 us to wake: many launches go as one "
        "(planning/persistent.py), which knows how to sleep and wake others on these processors under Linux. Its buffers stay "
        "where they are, and it understands clang's atomics",
        "an empty launch takes PoCL under 2 us",
    ),
    Quirk(
        "interprets",
        lambda d: d.platform == "Oclgrind",
        "calls itself an accelerator and interprets kernels, thousands of times slower than a CPU runs them: it is "
        "chosen only by name",
        "never: it is a debugger",
    ),
    Quirk(
        "forgets-what-is-initialised",
        lambda d: d.platform == "Oclgrind",
        "once the host has filled or written a part of a buffer, the rest of it counts as uninitialised for "
        "good, also what kernels write there, and so does a buffer that takes the place of a smaller one: each "
        "value gets an unfilled buffer, never released, where every access outside is seen besides",
        "Oclgrind follows fills, host writes of parts and releases",
    ),
)


def apply_quirks(device: DeviceInfo) -> DeviceInfo:
    """The device with the name of every quirk that it has, and each one's cure applied."""
    for quirk in QUIRKS:
        if quirk.applies(device):
            device = quirk.cure(device)
            device = dataclasses.replace(device, quirks=device.quirks | {quirk.name})
    return device

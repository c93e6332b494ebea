"""The processors that offline_compile compiles for: the compilers' commands, and what they say of each kernel."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from clconv.device.info import DeviceInfo, nvidia_matrix
from clconv.device.quirks import apply_quirks
from clconv.lowering.model.call import KernelCall

CLANG = (
    "clang-19", "-x", "cl", "-cl-std=CL1.2", "-nogpulib", "-O3", "-ffp-contract=fast", "-w", "-S",
    "-Xclang", "-finclude-default-header",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Usage:
    """What one kernel takes. registers: of a work-item, None where the compiler does not say; local_bytes: of
    a work-group; spilled: registers or bytes; occupancy: part of the device's threads that fit, 0..1."""

    registers: int | None
    local_bytes: int | None
    spilled: int
    occupancy: float | None


@dataclasses.dataclass(frozen=True)
class Target:
    """A processor: the tools it needs, the device that lowering sees, how a source becomes Usage by kernel."""

    name: str
    tools: tuple[str, ...]
    device: DeviceInfo
    compile: Callable[[Target, Path, Mapping[str, KernelCall]], dict[str, Usage]]


def run(*command: str | Path) -> str:
    """All that the command prints; RuntimeError with it if the command fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr)[-4000:]
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}")
    return done.stdout + done.stderr


def _library(name: str) -> tuple[str, ...]:
    return "-Xclang", "-mlink-builtin-bitcode", "-Xclang", f"/usr/lib/clc/{name}.bc"


def amd_assembly(target: Target, source: Path) -> str:
    """Leaves assembly beside the source, .s; the remarks of LLVM's code generator."""
    return run(
        *CLANG, "-target", "amdgcn-amd-amdhsa", f"-mcpu={target.name}", *_library("amdgcn--amdhsa"),
        "-Rpass-analysis=kernel-resource-usage", "-o", source.with_suffix(".s"), source,
    )  # fmt: skip


def compile_amd(target: Target, source: Path, calls: Mapping[str, KernelCall]) -> dict[str, Usage]:
    """The remarks of LLVM's code generator; occupancy in waves a SIMD, 8 on CDNA, 16 on RDNA at most."""
    text = amd_assembly(target, source)
    most = 8 if target.name.startswith("gfx9") else 16
    found = {}
    for part in text.split("remark: Function Name: ")[1:]:
        value = {
            name.strip(): int(number)
            for name, number in re.findall(r"remark: +([\w\[\]/ ]+): (\d+)", part)
        }
        found[part.split()[0]] = Usage(
            value["VGPRs"] + value.get("AGPRs", 0),
            value["LDS Size [bytes/block]"],
            value["VGPRs Spill"] + value["SGPRs Spill"] + value["ScratchSize [bytes/lane]"],
            value["Occupancy [waves/SIMD]"] / most,
        )
    return found


# Warps and work-groups of a multiprocessor, its local memory, and what of that each work-group costs besides.
_NVIDIA = {"sm_75": (32, 16, 64 << 10, 0), "sm_90": (64, 32, 227 << 10, 1 << 10)}


def nvidia_binary(target: Target, source: Path) -> str:
    """Leaves machine code beside the source, .cubin; what ptxas says."""
    assembly = source.with_suffix(".ptx")
    run(
        *CLANG, "-target", "nvptx64-nvidia-nvcl", "-Xclang", "-target-cpu", "-Xclang", target.name,
        "-Xclang", "-target-feature", "-Xclang", "+ptx78", *_library("nvptx64--nvidiacl"),
        "-o", assembly, source,
    )  # fmt: skip
    return run("ptxas", f"-arch={target.name}", "-v", "-o", source.with_suffix(".cubin"), assembly)


def compile_nvidia(
    target: Target, source: Path, calls: Mapping[str, KernelCall]
) -> dict[str, Usage]:
    """What ptxas says; occupancy by the rules of the CUDA C++ Programming Guide's calculator."""
    text = nvidia_binary(target, source)
    found = {}
    for part in text.split("Compiling entry function '")[1:]:
        symbol = part.split("'")[0]

        def number(pattern: str, text: str = part) -> int:
            match = re.search(pattern, text)
            return int(match[1]) if match else 0

        registers, local = number(r"Used (\d+) registers"), number(r"(\d+) bytes smem")
        items = math.prod(calls[symbol].local_size or (128,))
        spilled = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes stack frame")
        found[symbol] = Usage(
            registers, local, spilled, _occupancy(target, registers, local, items)
        )
    return found


def _occupancy(target: Target, registers: int, local: int, items: int) -> float:
    most_warps, most_groups, memory, own = _NVIDIA[target.name]
    warps = -(-items // 32)
    by_registers = 65536 // (-(-registers * 32 // 256) * 256) // warps
    by_memory = memory // (local + own) if local else most_groups
    return warps * min(most_groups, most_warps // warps, by_registers, by_memory) / most_warps


def intel_assembly(target: Target, source: Path) -> Path:
    """The assembly of a program's last kernel by its name, which is left beside the source."""
    dumped = source.parent / "assembly"
    dumped.mkdir()
    os.environ |= {"IGC_ShaderDumpEnable": "1", "IGC_DumpToCustomDir": f"{dumped}/"}
    run(
        "ocloc", "compile", "-file", source, "-device", target.name, "-out_dir", dumped,
        "-options", "-cl-std=CL1.2",
    )  # fmt: skip
    return sorted(dumped.glob("*_simd*.asm"))[-1]


def compile_intel(
    target: Target, source: Path, calls: Mapping[str, KernelCall]
) -> dict[str, Usage]:
    """ocloc speaks of a kernel only if it spills."""
    folder = source.parent / target.name
    text = run(
        "ocloc", "compile", "-file", source, "-device", target.name, "-out_dir", folder,
        "-options", "-cl-std=CL1.2",
    )  # fmt: skip
    spilled = dict(re.findall(r"kernel (\w+) +compiled.*?spilled around (\d+)", text))
    return {symbol: Usage(None, None, int(spilled.get(symbol, 0)), None) for symbol in calls}


def _gpu(
    name: str, vendor: str, units: int, local: int, group: int, *more: str,
    matrix: frozenset[str] = frozenset(),
) -> DeviceInfo:  # fmt: skip
    info = DeviceInfo(
        name, vendor, vendor, "OpenCL 3.0", "", "gpu", compute_units=units, vector_width=1,
        local_memory=local << 10, largest_work_group=group, extensions=frozenset(more), matrix=matrix,
    )  # fmt: skip
    return apply_quirks(info)


_AMD_TOOLS, _NVIDIA_TOOLS = ("clang-19",), ("clang-19", "ptxas")
_DOUBLE = "cl_khr_fp64"
_PAIRS = frozenset({"f16 pairs"})
TARGETS = (
    Target("gfx90a", _AMD_TOOLS, _gpu("gfx90a", "AMD", 104, 64, 256, _DOUBLE, matrix=_PAIRS), compile_amd),
    Target("gfx1030", _AMD_TOOLS, _gpu("gfx1030", "AMD", 40, 64, 256, _DOUBLE, matrix=_PAIRS), compile_amd),
    Target("gfx1100", _AMD_TOOLS, _gpu("gfx1100", "AMD", 48, 64, 256, _DOUBLE, matrix=_PAIRS), compile_amd),
    Target("sm_75", _NVIDIA_TOOLS, _gpu("T4", "NVIDIA", 40, 48, 1024, _DOUBLE, matrix=nvidia_matrix((7, 5))), compile_nvidia),
    Target("sm_90", _NVIDIA_TOOLS, _gpu("H200", "NVIDIA", 132, 48, 1024, _DOUBLE, matrix=nvidia_matrix((9, 0))), compile_nvidia),
    Target("tgllp", ("ocloc",), _gpu("Iris Xe", "Intel", 96, 64, 512, matrix=frozenset({"f16 short sums"})), compile_intel),
    Target("dg2", ("ocloc",), _gpu("Arc A770", "Intel", 512, 64, 1024, matrix=frozenset({"f16 8 lanes"})), compile_intel),
    Target("pvc", ("ocloc",), _gpu("Intel(R) Data Center GPU Max 1550", "Intel", 1024, 128, 1024, _DOUBLE, matrix=frozenset({"f16 16 lanes"})), compile_intel),
)  # fmt: skip

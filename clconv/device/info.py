"""DeviceInfo: all that lowering knows of a device, as plain data."""

from __future__ import annotations

import dataclasses
import re

from clconv.records import record


@record(frozen=True)
class DeviceInfo:
    """What an OpenCL device says of itself. Sizes in bytes.

    vector_width: float32 lanes of one register, after quirks; the channel block of CPU layouts.
    matrix: matrix instructions by the type of their factors: "tf32", "f16", and "f16 k16" if 16 products at a
        time, of NVIDIA; "f16 8 lanes", "f16 16 lanes" of Intel; "f16 pairs", two products at a time for each work-item, of
        AMD; "f16 short sums", arithmetic of halves, where a few products are added before they go to a float; "emulated":
        plain C in their place.
    matrix_verified: whether what `matrix` names is known to multiply right; else only a precision that asks for it takes it.
    most_rounds: after how many rounds through its loops, all of them together, a work-item is ended; 0 if never.
    shuffle: how work-items side by side pass each other values without local memory: "nvidia", "intel", "emulated", "" if
        not at all. shuffle_verified: whether that is known to work; else it is not used.
    dot: how products of four bytes at a time are added to int32 lanes: "vnni" (AVX-512 VNNI, AVX-VNNI), "words" (pairs of
        16 bits: AVX2, AVX-512BW), "usdot" and "sdot" (ARM's i8mm and dotprod) of processors; "nvidia" (dp4a), "khr" (cl_khr_integer_dot_product), "amd" and "amd
        unsigned" (v_dot4) of GPUs, and their matrix instructions: "nvidia k32" and "nvidia k16" (mma.sync), "intel 8 lanes" and
        "intel 16 lanes" (dpas), "amd matrix" (v_wmma); "emulated", "emulated signed", "emulated nvidia k32" and so on; "" if
        not at all. dot_verified: whether that is known to be exact; else it is not used.
    wide: features of the processor for vectors of 16 lanes, as clang's attribute `target` names them, where PoCL's compiler
        does not use them by itself; "" else. wide_verified: whether functions with that attribute are known to be right; then
        all have it, and vector_width is 16.
    subgroup: work-items that a kernel of many registers asks Intel's compiler to run side by side; 0 leaves it
        to the compiler.
    """

    name: str
    vendor: str
    platform: str
    platform_version: str
    driver: str
    kind: str  # "gpu", "cpu" or "accelerator"
    version: str = ""
    compute_units: int = 1
    vector_width: int = 4
    global_memory: int = 1 << 32
    largest_allocation: int = 1 << 30
    cache: int = 0  # the largest; 0 if the device does not say
    local_memory: int = 32 << 10
    largest_work_group: int = 256
    base_alignment: int = 128
    extensions: frozenset[str] = frozenset()
    half: bool = False
    matrix: frozenset[str] = frozenset()
    matrix_verified: bool = False
    shuffle: str = ""
    shuffle_verified: bool = False
    dot: str = ""
    dot_verified: bool = False
    wide: str = ""
    wide_verified: bool = False
    subgroup: int = 0
    most_rounds: int = 0
    quirks: frozenset[str] = frozenset()
    index: int = 0  # position among all devices of this machine

    @property
    def is_cpu(self) -> bool:
        """Whether work-items do much each, on vectors of their own, one after another: the kernels for CPUs."""
        return self.kind == "cpu" and "runs-items-in-lanes" not in self.quirks

    @property
    def registers(self) -> int:
        """Vector registers that a CPU kernel may count on."""
        return 16 if self.vector_width <= 8 or "halves-its-vectors" in self.quirks else 32

    def __str__(self) -> str:
        return f"{self.name} ({self.platform})"


def nvidia_matrix(capability: tuple[int, int]) -> frozenset[str]:
    """DeviceInfo.matrix of a compute capability, as the PTX ISA has mma.m16n8k8 and m16n8k16."""
    if capability >= (8, 0):
        return frozenset({"tf32", "f16", "f16 k16"})
    return frozenset({"f16"}) if capability >= (7, 5) else frozenset()


def intel_matrix(extensions: frozenset[str]) -> frozenset[str]:
    """DeviceInfo.matrix by the extension; which of the two lengths of subgroups a device has, trying it shows."""
    if "cl_intel_subgroup_matrix_multiply_accumulate" in extensions:
        return frozenset({"f16 8 lanes", "f16 16 lanes"})
    return frozenset()


def half_matrix(name: str, extensions: frozenset[str]) -> frozenset[str]:
    """DeviceInfo.matrix of a GPU by what it says of arithmetic of halves. AMD's v_dot2_f32_f16 is there on what has such an
    instruction for bytes. Where cl_khr_fp16 is there, halves are taken to be faster than floats, as they are on Intel's GPUs
    and on those of phones."""
    if "cl_khr_fp16" not in extensions:
        return frozenset()
    pairs = gpu_dot(name, (0, 0), frozenset()) != ""
    return frozenset({"f16 pairs" if pairs else "f16 short sums"})


def shuffle_of(capability: tuple[int, int], extensions: frozenset[str]) -> str:
    """DeviceInfo.shuffle: shfl.sync is there from compute capability 7.0 on in the form that kernels/group.mako has."""
    if capability >= (7, 0):
        return "nvidia"
    return "intel" if "cl_intel_subgroups" in extensions else ""


def wide_of(version: str, flags: frozenset[str]) -> str:
    """DeviceInfo.wide of a CPU that PoCL drives. version: OpenCL's, which ends with the processor that code is made for; flags:
    see dot_of."""
    if not OLD_TARGETS.search(version) or not flags.issuperset(_AVX512):
        return ""
    named = [*_AVX512, *(f for f in ("avx512_vnni", "avx512vbmi") if f in flags)]
    return ",".join(flag.replace("_", "") for flag in named)


def widened(device: DeviceInfo) -> DeviceInfo:
    """The device, with the wider vectors that `wide` names taken for right."""
    return dataclasses.replace(device, wide_verified=True, vector_width=16)


_ARM = (("i8mm", "usdot"), ("asimddp", "sdot"))


def dot_of(platform: str, kind: str, version: str, flags: frozenset[str]) -> str:
    """DeviceInfo.dot: PoCL's clang has the instructions of x86-64 processors as builtins, and takes inline assembly. flags: what
    the processor says of itself, as Linux names it."""
    if kind != "cpu" or "Portable Computing Language" not in platform:
        return ""
    if "aarch64" in version:
        return next((dot for flag, dot in _ARM if flag in flags), "")
    if "x86_64" not in version:
        return ""
    if flags & {"avx512_vnni", "avx_vnni"}:
        return "vnni"
    return "words" if "avx2" in flags else ""


def gpu_dot(name: str, capability: tuple[int, int], extensions: frozenset[str]) -> str:
    """DeviceInfo.dot: dp4a is there from compute capability 6.1 on, mma.sync for bytes from 7.5 on; AMD's compilers have their
    instruction for signed bytes on what machine learning was built for, and RDNA 3 one for matrices of bytes of either kind.
    Intel's two lengths of subgroups are tried, as of what is named here all is, see probes/dot_probe.py."""
    for first, dot in (((8, 0), "nvidia k32"), ((7, 5), "nvidia k16"), ((6, 1), "nvidia")):
        if capability >= first:
            return dot
    if "cl_intel_subgroup_matrix_multiply_accumulate" in extensions:
        return "intel 16 lanes"
    if "cl_khr_integer_dot_product" in extensions:
        return "khr"
    if re.match(r"gfx11\d\d", name):
        return "amd matrix"
    if re.match(r"gfx12\d\d", name):
        return "amd unsigned"
    return "amd" if re.match(r"gfx(906|908|90a|94\d|950|1011|1012|103\d)\b", name) else ""


_AVX512 = ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
OLD_TARGETS = re.compile(r"znver[123]\b|haswell|broadwell|skylake\b")

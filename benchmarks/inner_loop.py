"""Reads the machine code of the GPU kernels that networks spend their time in, and says what bounds them.

    python -m benchmarks.inner_loop [TARGET ...]

ResNet-50, VGG-16, MobileNetV2 and U-Net at batch 1 and 16 are planned for made-up devices, as offline_compile does. What
they run is compiled for sm_90 (disassembled by nvdisasm or cuobjdump) and gfx1100 (clang's assembly): the hottest kernels
and those that move memory. Counts go into benchmarks/results/inner_loops.md; `bound` says how bounds follow from them.
"""

from __future__ import annotations

import dataclasses
import math
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.disassembly import (
    Hot,
    Names,
    hottest,
    is_matrix,
    multiplies,
    parse_amd,
    parse_nvidia,
    widths,
)
from benchmarks.nets import NETS
from benchmarks.offline_compile import NETWORKS, RESULTS
from benchmarks.offline_targets import TARGETS, Target, amd_assembly, nvidia_binary, run
from clconv.device.options import PlanOptions
from clconv.lowering.choice.matrix import Matrix
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.template import program_source
from clconv.lowering.shared.tiles import Tile
from clconv.planning.planner import Planner

BATCHES = (1, 16)
LEAST = 0.04  # of a network's arithmetic: what a product's kernel is shown for
MOVERS = (
    "winograd_plain_input", "winograd_plain_output", "conv_depthwise_plain", "pool_local", "elementwise_flat",
    "gemm_vector", "conv_sum_splits",
)  # fmt: skip
PRECISIONS = {"sm_90": ("float32", "tf32", "float16"), "gfx1100": ("float32",)}


@dataclasses.dataclass(frozen=True)
class Counts:
    """A turn of the loop over K, or a whole kernel that has none, for one work-item.

    local_turns: cycles of local memory for what the 32 items of a warp read and write.
    """

    instructions: int
    multiplied: int
    matrix: bool
    local_loads: Mapping[int, int]
    local_stores: Mapping[int, int]
    global_loads: Mapping[int, int]
    global_stores: Mapping[int, int]
    registers: int

    @property
    def moved(self) -> int:
        """Bytes of global memory that a work-item reads and writes, as often as it does."""
        return sum(
            bits // 8 * count
            for accesses in (self.global_loads, self.global_stores)
            for bits, count in accesses.items()
        )


def local_turns(counts: Counts, shared_reads: bool) -> float:
    """Cycles of a 128-byte wide local memory. A store, or a load of 32 bits, takes 32 items at once, wider ones as
    many fewer; a load of 128 bits takes two turns if items share what they read (tile_text.item_place)."""
    loads = sum(
        count * (2 if bits == 128 and shared_reads else bits / 32)
        for bits, count in counts.local_loads.items()
    )
    return loads + sum(count * bits / 32 for bits, count in counts.local_stores.items())


def bound(target: Target, counts: Counts) -> tuple[float, str]:
    """Share of peak arithmetic that the counts allow at most, and what allows no more.

    sm_90, cycles of a multiprocessor for a warp: issue = instructions / 4 (four schedulers), local memory = its turns,
    multiply = FFMA / 4, or HMMA (16x8x8 tf32 and 16x8x16 half take a scheduler's matrix unit 4 cycles at the dense peak;
    mma.sync is said to reach 0.62 of that on Hopper). gfx1100, cycles of a SIMD for a wave: issue = vector instructions,
    two multiply-adds in one count as one; local memory = twice its turns, for two SIMDs share it, and no sharing of
    what is read counted; multiply = multiply-adds / 2. The bound is multiply / the largest of the three. Nothing of
    latency is in it: a device with too few work-groups reaches less.
    """
    if target.name.startswith("sm_"):
        times = {
            "instructions": counts.instructions / 4,
            "local memory": local_turns(counts, shared_reads=not counts.matrix),
            "multiply": float(counts.multiplied) if counts.matrix else counts.multiplied / 4,
        }
    else:
        times = {
            "instructions": float(counts.instructions),
            "local memory": 2 * local_turns(counts, shared_reads=False),
            "multiply": counts.multiplied / 2,
        }
    slowest = max(times, key=lambda name: times[name])
    return times["multiply"] / times[slowest], slowest


@dataclasses.dataclass(frozen=True)
class Hotspot:
    """A kernel, the network that has it and the part of the network's arithmetic that kernels like it do."""

    label: str
    network: str
    share: float
    call: KernelCall


def label_of(call: KernelCall) -> str:
    given = dict(call.kernel.parameters)
    label = [call.kernel.entry]
    tile, kind, window = given.get("tile"), given.get("kind"), given.get("kernel")
    if isinstance(tile, Tile):
        label.append(f"{tile.m}x{tile.n}x{tile.k} by {tile.items}")
    if isinstance(kind, Matrix):
        label.append(kind.type)
    if "pixel_width" in given:
        pointwise = "side by side" if given["pixel_width"] == 4 else "one by one"
        label.append(f"window {window[0]}x{window[1]}, pixels {pointwise}")  # type: ignore[index]
    elif "transform" in given:
        label.append(f"F({given['m']},3)")
    return " ".join(label)


def _has_steps(call: KernelCall) -> bool:
    """Whether its loop over K is one: of a single step nothing is left of it."""
    given = dict(call.kernel.parameters)
    tile, window = given.get("tile"), given.get("kernel")
    if not isinstance(tile, Tile) or not isinstance(window, tuple):
        return True
    return int(str(given["channels"])) * math.prod(window) > 2 * tile.k


def hotspots(target: Target, precision: str) -> Iterator[Hotspot]:
    """The kernels of a target, each once: for the network that it does the most of."""
    found: dict[str, Hotspot] = {}
    for name in NETWORKS:
        for batch in BATCHES if precision == "float32" else BATCHES[-1:]:
            graph = NETS[name](batch)
            specs = {n: graph.specs[n] for n in graph.inputs}
            calls = Planner(target.device, PlanOptions(precision)).plan(graph, specs).calls
            total = sum(call.cost.flops for call in calls) or 1
            alike: dict[str, list[KernelCall]] = {}
            for call in calls:
                alike.setdefault(label_of(call), []).append(call)
            for label, group in alike.items():
                share = sum(call.cost.flops for call in group) / total
                largest = max(group, key=lambda call: (_has_steps(call), call.cost.flops))
                spot = Hotspot(label, f"{name} x {batch}", share, largest)
                if label not in found or share > found[label].share:
                    found[label] = spot
    for spot in found.values():
        product = "tile" in dict(spot.call.kernel.parameters)
        mover = spot.call.kernel.entry in MOVERS and precision == "float32"
        if (product and spot.share >= LEAST) or mover:
            yield spot


def passes(call: KernelCall, hot: Hot) -> int:
    """How often the inner loop goes round in a turn of the one around it: as a step of the tile needs."""
    tile = dict(call.kernel.parameters).get("tile")
    if not isinstance(tile, Tile) or not hot.around or is_matrix(hot.inner):
        return 1
    return tile.item_m * tile.item_n * tile.k // multiplies(hot.inner)


def counts_of(target: Target, names: Names, registers: int) -> Counts:
    nvidia = target.name.startswith("sm_")
    local, far = (("LDS", "STS"), ("LDG", "STG")) if nvidia else (("ds_load", "ds_store"), ("global_load", "global_store"))  # fmt: skip
    issued = {n: c for n, c in names.items() if nvidia or n.startswith("v_")}
    return Counts(
        sum(issued.values()), multiplies(names), is_matrix(names),
        widths(names, local[0]), widths(names, local[1]), widths(names, far[0]), widths(names, far[1]), registers,
    )  # fmt: skip


def machine_code(target: Target, source: Path) -> tuple[dict[str, Hot], dict[str, int]]:
    """What each kernel has, and its registers."""
    if target.name.startswith("sm_"):
        said = nvidia_binary(target, source)
        registers = re.findall(r"entry function '(\w+)'.*?Used (\d+) registers", said, re.DOTALL)
        tool = ("nvdisasm", "-c") if shutil.which("nvdisasm") else ("cuobjdump", "-sass")
        kernels = parse_nvidia(run(*tool, source.with_suffix(".cubin")))
    else:
        said = amd_assembly(target, source)
        registers = re.findall(r"Function Name: (\w+).*?VGPRs: (\d+)", said, re.DOTALL)
        kernels = parse_amd(source.with_suffix(".s").read_text())
    hot = {symbol: hottest(lines) for symbol, lines in kernels.items()}
    return hot, {symbol: int(count) for symbol, count in registers}


def _cell(accesses: Mapping[int, int]) -> str:
    return " ".join(f"{count}x{bits}" for bits, count in accesses.items()) or "-"


def tables(target: Target) -> str:
    """Markdown: a table of products, and one of what moves memory."""
    spots = [spot for p in PRECISIONS[target.name] for spot in hotspots(target, p)]
    products = [
        "| kernel | most in | share of it | instructions | multiply | local reads | writes | global reads | registers | bound | by |",
        "| --- | --- | ---: | ---: | ---: | --- | --- | --- | ---: | ---: | --- |",
    ]
    movers = [
        "| kernel | most in | instructions | global reads | writes | bytes an instruction of 32 items | registers |",
        "| --- | --- | ---: | --- | --- | ---: | ---: |",
    ]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernels.cl"
        unique = {spot.call.kernel.symbol: spot.call.kernel for spot in spots}
        source.write_text(program_source(tuple(unique.values())))
        code, registers = machine_code(target, source)
    for spot in spots:
        symbol, hot = spot.call.kernel.symbol, code[spot.call.kernel.symbol]
        head = f"| {spot.label} | {spot.network} |"
        if spot.call.kernel.entry in MOVERS:
            looped = Names(hot.inner) if hot.around or hot.inner != hot.whole else hot.whole
            counts = counts_of(target, looped, registers[symbol])
            rate = 32 * counts.moved / max(counts.instructions, 1)
            movers.append(
                f"{head} {counts.instructions} | {_cell(counts.global_loads)} | {_cell(counts.global_stores)} | "
                f"{rate:.0f} | {counts.registers} |"
            )
            continue
        counts = counts_of(target, hot.turn(passes(spot.call, hot)), registers[symbol])
        share, by = bound(target, counts)
        products.append(
            f"{head} {spot.share:.0%} | {counts.instructions} | {counts.multiplied} | {_cell(counts.local_loads)} | "
            f"{_cell(counts.local_stores)} | {_cell(counts.global_loads)} | {counts.registers} | {share:.0%} | {by} |"
        )
    return "\n".join([f"## {target.name}", "", *products, "", *movers, ""])


def versions(target: Target) -> str:
    tools = ["clang-19"] + (["ptxas", "nvdisasm"] if target.name.startswith("sm_") else [])
    said = [run(tool, "--version") for tool in tools if shutil.which(tool)]
    found = (re.search(r"V\d+[\d.]*|version [\d.]+", text) for text in said)
    return ", ".join(f"{t} {m[0]}" for t, m in zip(tools, found, strict=False) if m)


def missing(target: Target) -> list[str]:
    wanted = [tool for tool in target.tools if shutil.which(tool) is None]
    if target.name.startswith("sm_") and not (
        shutil.which("nvdisasm") or shutil.which("cuobjdump")
    ):
        wanted.append("nvdisasm or cuobjdump (pip install nvidia-cuda-nvdisasm, and its bin in PATH)")  # fmt: skip
    return wanted


INTRO = """# Inner loops of the kernels for GPUs

Made by `python -m benchmarks.inner_loop` from machine code, without a GPU. Bounds say what a kernel cannot surpass, not
what it reaches: `bound` in `benchmarks/inner_loop.py` has the formula. `gpu_predictions.md` holds what is expected of a
card. {versions}.

Counts are of a work-item: in products for one step of the loop over K, in the others for the loop or the whole kernel.
`48x128` are 48 accesses of 128 bits. The kernel shown is that of the network where kernels like it do the largest share
of the arithmetic. An NVIDIA multiprocessor issues 4 instructions of 32 items a cycle, an H200's memory has some 5
bytes for each of them, its second-level cache twice to three times that: what moves more bytes an instruction is
bound by memory.

What is compiled here is clang's and libclc's work; NVIDIA's own OpenCL compiler makes other code of the same source, and
rounds to half in one instruction where libclc takes twenty.
"""


def main() -> int:
    wanted = sys.argv[1:] or list(PRECISIONS)
    unknown = set(wanted) - set(PRECISIONS)
    if unknown:
        print(f"no targets {sorted(unknown)}; there are {list(PRECISIONS)}")
        return 2
    parts, used = [], []
    for target in (t for t in TARGETS if t.name in wanted):
        if missing(target):
            print(f"{target.name}: left out, not installed: {', '.join(missing(target))}")
            continue
        parts.append(tables(target))
        used.append(f"{target.name}: {versions(target)}")
        print(parts[-1], flush=True)
    if len(parts) == len(PRECISIONS):
        intro = INTRO.format(versions="; ".join(used))
        (RESULTS / "inner_loops.md").write_text("\n".join([intro, *parts]))
    return 0 if len(parts) == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())

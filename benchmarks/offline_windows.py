"""Pools and first layers as GPUs would run them, by the vendors' compilers and without the GPUs.

    python -m benchmarks.offline_windows [TARGET ...]

For each layer the variants that GPUs may choose: registers, occupancy, spills, instructions of the kernel's code and, of
these, how many all items issue for each result of a pool or each product of a first layer, and the model's estimates, one of
which is the choice. Prints a table for each kind of layer.

NVIDIA's instructions need nvdisasm or cuobjdump besides what offline_compile needs.
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.disassembly import Hot
from benchmarks.inner_loop import machine_code, passes
from benchmarks.offline_compile import wanted_targets
from benchmarks.offline_targets import Target, intel_assembly
from clconv.cases.base import Case
from clconv.cases.conv.conv import conv
from clconv.cases.pool.pool import pool
from clconv.device.options import PlanOptions
from clconv.lowering.choice.matrix import Matrix
from clconv.lowering.lower import problem_of
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.template import program_source
from clconv.lowering.ops.conv.stem import StemTile
from clconv.lowering.shared.tiles import Tile
from clconv.lowering.variants import VARIANTS

TARGETS = ("sm_90", "gfx1030", "gfx90a", "tgllp", "dg2")
SAME3 = (1, 1, 1, 1)
POOLS: dict[str, Case] = {
    "max 3x3 stride 2, 64 of 112": pool("MaxPool", "a", (16, 64, 112, 112), (3, 3), strides=(2, 2), pads=SAME3),
    "max 2x2 stride 2, 64 of 224": pool("MaxPool", "b", (16, 64, 224, 224), (2, 2), strides=(2, 2)),
    "max 3x3, 192 of 28": pool("MaxPool", "c", (16, 192, 28, 28), (3, 3), pads=SAME3),
    "max 5x5, 256 of 20": pool("MaxPool", "d", (16, 256, 20, 20), (5, 5), pads=(2,) * 4),
    "max 13x13, 512 of 13": pool("MaxPool", "e", (16, 512, 13, 13), (13, 13), pads=(6,) * 4),
    "mean 3x3, 288 of 35": pool("AveragePool", "f", (16, 288, 35, 35), (3, 3), pads=SAME3),
}  # fmt: skip
STEMS: dict[str, Case] = {
    "7x7 stride 2, 64 of 224": conv("a", (16, 3, 224, 224), (64, 3, 7, 7), strides=(2, 2), pads=(3,) * 4),
    "3x3 stride 2, 32 of 224": conv("b", (16, 3, 224, 224), (32, 3, 3, 3), strides=(2, 2), pads=SAME3),
    "3x3, 64 of 224": conv("c", (16, 3, 224, 224), (64, 3, 3, 3), pads=SAME3),
    "3x3, 16 of 32": conv("e", (16, 3, 32, 32), (16, 3, 3, 3), pads=SAME3),
    "7x7 stride 2, one image": conv("f", (1, 3, 224, 224), (64, 3, 7, 7), strides=(2, 2), pads=(3,) * 4),
}  # fmt: skip
HALVES = {name: case.halved() for name, case in STEMS.items()}
KINDS: dict[str, tuple[dict[str, Case], tuple[str, ...]]] = {
    "pools": (POOLS, ("register", "local", "simple")),
    "first layers": (STEMS, ("implicit_gemm", "stem", "simple")),
    "first layers of halves": (
        HALVES,
        ("implicit_gemm", "matrix_gemm", "stem", "matrix_stem", "simple"),
    ),
}


def problem_for(target: Target, case: Case) -> Problem:
    graph, _ = case.build()
    assert case.inputs[0] is not None
    precision = "float16" if case.inputs[0].dtype == "float16" else "float32"
    return problem_of(graph, graph.nodes[0], target.device, PlanOptions(precision))


def ways(problem: Problem, wanted: tuple[str, ...]) -> Iterator[tuple[str, float, KernelCall]]:
    """Each variant that applies, its estimate in seconds, and its launch; the last of `wanted` only where no other does."""
    found = 0
    for variant in VARIANTS[problem.node.op]:
        if variant.name not in wanted or variant.obstacle(problem) is not None:
            continue
        if variant.name == wanted[-1] and found > 1:
            continue
        found += 1
        seconds = math.nan if variant.estimate is None else variant.estimate(problem)
        yield variant.name, seconds, variant.lower(problem).calls[0]


def intel_instructions(target: Target, source: Path) -> tuple[int, int]:
    """How many instructions a kernel has, and for how many work-items each of them is."""
    path = intel_assembly(target, source)
    lanes = re.search(r"_simd(\d+)", path.name)
    assert lanes is not None
    code = re.findall(
        r"^\s*(?:\([^)]*\)\s*)?[a-z][\w.]* +(?:\([^)]*\) *)?\(\d+\|M\d+\)", path.read_text(), re.M
    )
    return len(code), int(lanes[1])


def issued(call: KernelCall, hot: Hot, problem: Problem) -> float:
    """Instructions for each result; of a first layer, for each of its products, by the loops over these."""
    given = dict(call.kernel.parameters)
    tile, depth = (
        given.get("tile"),
        math.prod(problem.input(1).shape[1:]) if problem.node.op == "Conv" else 0,
    )
    if isinstance(tile, Tile):
        height, width = problem.input(1).shape[2:]
        padded = problem.x.shape[1] * height * (given["tap_width"] or width)
        products = tile.item_m * tile.item_n * tile.k * depth / (-(-padded // tile.k) * tile.k)
        kind = given["kind"]
        pair = kind.pair if isinstance(kind, Matrix) and kind.is_alone else 1
        return sum(hot.turn(passes(call, hot) // pair).values()) / products
    if isinstance(tile, StemTile):
        height, width = problem.input(1).shape[2:]
        return sum(hot.turn(height).values()) / (height * width * tile.item_filters * tile.pixels)
    return sum(hot.inner.values()) * math.prod(call.global_size) / problem.y.size


def row(target: Target, problem: Problem, seconds: float, call: KernelCall) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernels.cl")
        source.write_text(program_source((call.kernel,)))
        (usage,) = target.compile(target, source, {call.kernel.symbol: call}).values()
        if "ocloc" in target.tools:
            count, lanes = intel_instructions(target, source)
            code, each = f"{count} for {lanes} items", ""
        else:
            hot = machine_code(target, source)[0][call.kernel.symbol]
            code, each = f"{sum(hot.whole.values())}", f"{issued(call, hot, problem):.2f}"
    share = "" if usage.occupancy is None else f"{usage.occupancy:.0%}"
    estimate = "" if math.isnan(seconds) else f"{seconds * 1e6:.0f}"
    return [f"{usage.registers or ''}", share, f"{usage.spilled}", code, each, estimate]


def main() -> int:
    for kind, (layers, wanted) in KINDS.items():
        print(
            f"{kind}\n\n| target | layer | kernel | registers | occupancy | spilled | instructions | of them each | estimate µs |"
        )
        print("| --- | --- | --- | ---: | ---: | ---: | --- | ---: | ---: |")
        for target in wanted_targets(sys.argv[1:] or TARGETS):
            for layer, case in layers.items():
                problem = problem_for(target, case)
                for name, seconds, call in ways(problem, wanted):
                    cells = [target.name, layer, name, *row(target, problem, seconds, call)]
                    print("| " + " | ".join(cells) + " |", flush=True)
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())

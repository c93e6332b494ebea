"""What computing in halves saves on GPUs without matrix instructions, by the vendors' compilers and without the GPUs.

    python -m benchmarks.offline_halves [TARGET ...]

Convolutions on halves as they are multiplied in float32, and by AMD's v_dot2_f32_f16 or Intel's mad of halves: registers,
occupancy, and how many multiply instructions there are for the products of one work-item, of AMD in the innermost loop, of
Intel in the whole kernel, whose compiler unrolls. Prints the table of benchmarks/results/half_compute.md.

AMD needs clang-19 and libclc, Intel ocloc.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.disassembly import hottest, parse_amd
from benchmarks.gpu.work import layer_case
from benchmarks.offline_compile import wanted_targets
from benchmarks.offline_targets import TARGETS, Target, intel_assembly
from clconv.device.options import PlanOptions
from clconv.lowering.lower import problem_of
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.template import program_source
from clconv.lowering.variants import VARIANTS

HALF = frozenset({"f16 pairs", "f16 short sums"})
LAYERS = (("vgg 256 56", 16), ("1x1 64-256 56", 16), ("resnet 128 28", 1))
WAYS = {"float32": "implicit_gemm", "halves": "matrix_gemm"}


def product_of(target: Target, layer: str, batch: int, variant: str) -> tuple[KernelCall, float]:
    """The launch that multiplies, and the estimate of the whole convolution in seconds."""
    graph, _ = layer_case(layer, batch).halved().build()
    problem = problem_of(graph, graph.nodes[0], target.device, PlanOptions("float16"))
    (chosen,) = (v for v in VARIANTS["Conv"] if v.name == variant)
    assert chosen.estimate is not None
    return chosen.lower(problem).calls[0], chosen.estimate(problem)


def intel_instructions(target: Target, source: Path) -> tuple[Counter[str], int]:
    """Multiply-adds of floats or halves by type, and how many work-items each of them is for."""
    path = intel_assembly(target, source)
    code = re.findall(
        r"^\s*(?:\([^)]*\)\s*)?mad +\((\d+)\|M\d+\).*?:(h?f) ", path.read_text(), re.M
    )
    wide = max((int(lanes) for lanes, _ in code), default=0)
    return Counter(kind for _, kind in code), wide


def row(target: Target, layer: str, batch: int, way: str) -> list[str]:
    call, seconds = product_of(target, layer, batch, WAYS[way])
    tile = dict(call.kernel.parameters)["tile"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernels.cl")
        source.write_text(program_source((call.kernel,)))
        (usage,) = target.compile(target, source, {call.kernel.symbol: call}).values()
        if "ocloc" in target.tools:
            found, wide = intel_instructions(target, source)
            multiplied = ", ".join(f"{n} mad ({wide}) :{kind}" for kind, n in found.most_common())
            items = f"{tile.item_m * tile.item_n * tile.k} in {wide} items"
        else:
            (code,) = parse_amd(source.with_suffix(".s").read_text()).values()
            hot = hottest(code).inner
            names = Counter(
                {n: c for n, c in hot.items() if re.match(r"v_(dual_|pk_)?(fma|dot2)", n)}
            )
            multiplied = ", ".join(f"{n} {name}" for name, n in names.most_common(3))
            lines = min(tile.depth, tile.lines(None) // (2 if way == "halves" else 1))
            items = f"{tile.item_m * tile.item_n * lines * (2 if way == 'halves' else 1)}"
    share = "" if usage.occupancy is None else f"{usage.occupancy:.0%}"
    return [
        target.name, f"{layer} x {batch}", way, f"{tile.name}x{tile.k}", f"{usage.registers or ''}", share,
        f"{usage.spilled}", items, multiplied, f"{seconds * 1e6:.0f}",
    ]  # fmt: skip


def main() -> int:
    names = sys.argv[1:] or [t.name for t in TARGETS if t.device.matrix & HALF]
    print(
        "| target | layer | multiplied in | tile | registers | occupancy | spilled | products | by | estimate µs |\n"
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: |"
    )
    for target in wanted_targets(names):
        able = dataclasses.replace(
            target, device=dataclasses.replace(target.device, matrix=target.device.matrix & HALF)
        )
        for layer, batch in LAYERS:
            for way in WAYS:
                print("| " + " | ".join(row(able, layer, batch, way)) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

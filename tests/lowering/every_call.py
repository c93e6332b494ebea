"""Every launch that the shared cases can lead to: all variants, all layouts they work in, two kinds of device.

Imports nothing of the tests, so that it also runs against an installed clconv.
"""

from __future__ import annotations

from collections.abc import Iterator

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.graph.ops import OPS
from clconv.lowering.lower import lower_graph, problem_of
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Problem, Signature, Variant
from clconv.lowering.variants import VARIANTS

DEVICES = {
    kind: DeviceInfo(
        "made up", "nobody", "none", "", "", kind, vector_width=8, dot="emulated", dot_verified=True,
        extensions=frozenset({"cl_khr_fp64", "cl_khr_fp16", "cl_khr_int64_base_atomics"}), half=True,
    )
    for kind in ("cpu", "gpu")
}  # fmt: skip
DEVICE_CASES = [case for case in CASES if OPS[case.op].has_kernel]


def calls_of(case: Case, device: DeviceInfo) -> Iterator[KernelCall]:
    graph, _ = case.build()
    # As a plan has it, with the conversions around the node.
    yield from lower_graph(graph, device).calls
    problem = problem_of(graph, graph.nodes[0], device)
    for variant in VARIANTS.get(case.op, ()):
        if variant.applies(problem) is None:
            for signature in variant.signatures(problem):
                yield from _lowered(variant, problem, signature)


def _lowered(variant: Variant, problem: Problem, signature: Signature) -> tuple[KernelCall, ...]:
    laid_out = problem.laid_out(signature)
    if not any(spec.size for spec in laid_out.outputs):
        return ()  # lower_graph() does not ask then
    lowered = variant.lower(laid_out)
    return (*lowered.calls, *(call for placement in lowered.placements for call in placement.calls))

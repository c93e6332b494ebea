"""What benchmarks/gpu keeps of cases that fail: enough to mend them where there is no GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.gpu.lanes import Bench
from clconv.cases.base import Case
from clconv.device.info import DeviceInfo

_KEPT = 24  # failures in full
_LONGEST = 200_000  # characters of a source or a log that are kept


def keep_evidence(bench: Bench, failed: Sequence[tuple[Any, ...]]) -> None:
    """Sources, build logs and numbers of what failed, in a file beside the results, so that it can be mended elsewhere."""
    if not failed or bench.options.json is None:
        return
    texts = []
    for _, case, device, variant, precision in failed[:_KEPT]:
        text, reason = bench.ours.call(evidence, case, device, variant, precision, limit=30)
        texts.append(f"==== {case.name} {variant} {precision}\n{text or reason}\n")
    path = bench.options.json.with_suffix(".failed.txt")
    with path.open("a", encoding="utf-8") as file:
        file.writelines(texts)
    print(f"{len(texts)} failures in full: {path.name}", flush=True)


def evidence(case: Case, device: DeviceInfo, variant: str, precision: str) -> str:
    """What a person needs to mend a case that is wrong: numbers, the compiler's words, the kernels' source."""
    from clconv.diagnosis.doctor import in_precision, plan_of
    from clconv.graph.reference import run_reference
    from clconv.lowering.model.template import program_source
    from clconv.runtime.prepared import PreparedDevice

    plan = plan_of(case, device, variant, precision=precision)
    if plan is None:
        return "it does not apply"
    graph, feeds = in_precision(case, precision).build()
    calls = "\n".join(str(call)[:_LONGEST] for call in plan.calls)
    source = program_source(tuple(dict.fromkeys(call.kernel for call in plan.calls)))
    try:
        bound = PreparedDevice(device).bind(plan, guarded=True)
        found = bound.run({name: feeds[name] for name in plan.graph.inputs})
        expected = run_reference(graph, feeds)
        said = "\n".join(f"{n}: {_differences(found[n], e)}" for n, e in expected.items())
    except Exception as reason:
        said = str(reason)[:_LONGEST]
    return f"{graph}\n\n{said}\n\n{calls}\n\n{source[:_LONGEST]}"


def _differences(found: np.ndarray, expected: np.ndarray) -> str:
    """Where an array differs most from the reference, and how much of it does."""
    if found.shape != expected.shape or not expected.size:
        return f"{found.dtype}{found.shape} where {expected.dtype}{expected.shape} was expected"
    with np.errstate(invalid="ignore"):
        apart = np.abs(found.astype(np.float64) - expected.astype(np.float64)).ravel()
    apart[np.isnan(apart)] = np.inf
    worst = np.argsort(-apart, kind="stable")[:8]
    places = [tuple(map(int, np.unravel_index(at, expected.shape))) for at in worst]
    rows = (f"{at} {found[at]!r} not {expected[at]!r}" for at in places)
    wrong = int((apart > 1e-3 * np.abs(expected[np.isfinite(expected)]).max(initial=0)).sum())
    return f"{wrong} of {expected.size} are off; the worst: {'; '.join(rows)}"

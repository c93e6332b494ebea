"""Writes docs/operators.md from the code: operators, opsets, dtypes, where each runs, its variants.

python -m tests.tools.operators_table
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import textwrap
from pathlib import Path

import numpy as np
import onnx

from clconv.cases import CASES, Case
from clconv.errors import ClconvError, NeedsValue
from clconv.frontend.onnx.converters.microsoft import MICROSOFT
from clconv.frontend.onnx.known import CONTROL, supported
from clconv.graph.ir import DType, Graph
from clconv.graph.ops import OPS
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.graph.passes import run_passes
from clconv.graph.passes.half import place_half
from clconv.graph.specialise.sequences import SEQUENCE_OPS
from clconv.graph.specialise.specialise import specialise
from clconv.lowering.lower import lower_graph, problem_of
from clconv.lowering.model.kernel import Problem
from clconv.lowering.variants import VARIANTS
from tests.lowering.support import AVX2, NVIDIA
from tests.tools.operators_text import _EDGES, _INTRO, LIMITS, WHERE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"
_TRIED = 6  # cases for each dtype


@functools.cache
def _cases() -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = collections.defaultdict(list)
    for case in CASES:
        found[case.op].append(case)
    return found


def opsets(op: str) -> str:
    """ "7+", "7-9" if ONNX took it out at 10, "-" if ONNX does not have it."""
    schemas = [
        s for s in onnx.defs.get_all_schemas_with_history() if s.name == op and s.domain == ""
    ]
    if not schemas:
        return "-"
    first = min(s.since_version for s in schemas)
    newest = max(schemas, key=lambda s: s.since_version)
    return f"{first}-{newest.since_version - 1}" if newest.deprecated else f"{first}+"


def optimised(case: Case) -> Graph:
    graph, _ = case.build()
    specialised = specialise(graph, {n: graph.specs[n] for n in graph.inputs})
    return run_passes(place_half(specialised.graph))


def _base_dtype(case: Case) -> str:
    """The dtype of the operator's data: of its first operand that is not a condition."""
    row = ROWS.get(case.op)
    skipped = 1 if row is not None and row.condition_first else 0
    return next(o.dtype for o in case.inputs[skipped:] if o is not None)


def with_dtype(case: Case, dtype: DType) -> Case:
    """The case with every operand of its data in another dtype, in a range that all have."""
    base = _base_dtype(case)
    operands = tuple(
        dataclasses.replace(o, dtype=dtype.value, low=max(o.low, 0), high=max(o.high, 2))
        if o is not None and o.dtype == base
        else o
        for o in case.inputs
    )
    return dataclasses.replace(case, inputs=operands)


def runs(case: Case) -> bool:
    """Whether the importer's graph of this case has a shape, and a device variant or a host reference."""
    try:
        if OPS[case.op].host_only:
            with np.errstate(all="ignore"):
                case.build()
            return True
        lower_graph(optimised(case), AVX2)
    except NeedsValue:
        return OPS[case.op].host_only
    except (ClconvError, ValueError, TypeError, OverflowError):
        return False
    return True


def running_cases(op: str) -> dict[DType, Case]:
    """For each dtype that an operator's data may have, one of its cases in that dtype."""
    found: dict[DType, Case] = {}
    for dtype in DType:
        tried = (with_dtype(case, dtype) for case in _cases().get(op, [])[:_TRIED])
        case = next(filter(runs, tried), None)
        if case is not None:
            found[dtype] = case
    return found


def dtypes(op: str) -> str:
    """The dtypes of an operator's data for which one of its cases runs."""
    return _short(list(running_cases(op))) if op in _cases() else "any"


def _short(dtypes: list[DType]) -> str:
    if len(dtypes) == len(DType):
        return "any"
    words = []
    for kind, letter in (("f", "f"), ("i", "i"), ("u", "u")):
        sizes = sorted(8 * d.itemsize for d in dtypes if d.numpy.kind == kind)
        known = sorted(8 * d.itemsize for d in DType if d.numpy.kind == kind)
        if sizes == known and len(sizes) > 1:
            words.append(f"{letter}{sizes[0]}-{sizes[-1]}")
        else:
            words += [f"{letter}{size}" for size in sizes]
    return " ".join([*words, *(["bool"] if DType.BOOL in dtypes else [])]) or "-"


def where(op: str) -> str:
    """Key of WHERE: how the operator's cases end up."""
    if op not in OPS:
        return "control" if op in CONTROL else "load"
    if OPS[op].control is not None:
        return "control"
    if op in SEQUENCE_OPS:
        return "shape"
    if OPS[op].always_expands:
        return "written"
    if OPS[op].host_only:
        return "host"
    graphs = [_specialised(case) for case in _cases()[op]]
    if not any(graph.nodes for graph in graphs):
        return "shape"
    return "device" if any(lower_graph(g, AVX2).calls for g in graphs) else "view"


def _specialised(case: Case) -> Graph:
    graph, _ = case.build()
    return specialise(graph, {n: graph.specs[n] for n in graph.inputs}).graph


def _problems(op: str) -> list[tuple[Problem, Problem]]:
    """The first node of each case, on a CPU and on a GPU."""
    graphs = [case.build()[0] for case in _cases().get(op, [])]
    return [
        (problem_of(g, g.nodes[0], AVX2), problem_of(g, g.nodes[0], NVIDIA))
        for g in graphs
        if g.nodes
    ]


def variants(op: str) -> str:
    """Names in the order of preference, marked where a kind of device takes them for no case."""
    known = VARIANTS.get(op, [])
    problems = _problems(op) if known else []
    words = []
    for variant in known:
        cpu = any(variant.applies(p) is None for p, _ in problems)
        gpu = any(variant.applies(p) is None for _, p in problems)
        if cpu or gpu:
            words.append(f"`{variant.name}`" + ("" if cpu and gpu else "ᶜ" if cpu else "ᵍ"))
    return ", ".join(words) or "-"


def operators() -> list[str]:
    """Every operator that a model may hold or that a graph is made of."""
    return sorted(supported(), key=str.lower)


def row(op: str) -> str:
    place = where(op)
    kinds = "any" if place in ("control", "load") else dtypes(op)
    cells = (f"`{op}`", opsets(op), kinds, WHERE[place], variants(op), LIMITS.get(op, ""))
    return "| " + " | ".join(cells) + " |"


def written_out() -> list[str]:
    """Operators that ONNX defines by others, which the importer puts in their place."""
    known = set(operators())
    return sorted(
        s.name
        for s in onnx.defs.get_all_schemas()
        if s.domain == ""
        and s.name not in known
        and not s.deprecated
        and (s.has_function or s.has_context_dependent_function)
    )


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False) + "\n"


def page() -> str:
    head = ["| operator | opsets | dtypes | where | variants | limits |", "| --- " * 6 + "|"]
    rows = [row(op) for op in operators()]
    other = ", ".join(f"`{name}`" for name in written_out())
    microsoft = ", ".join(f"`{name}`" for name in sorted(MICROSOFT))
    return (
        _INTRO.format(onnx=onnx.__version__)
        + "\n"
        + "\n".join([*head, *rows])
        + "\n\n"
        + _paragraph(
            "Replaced at load by the operators with which ONNX defines them, if those are listed above: "
            f"{other or 'none'}."
        )
        + "\n"
        + _paragraph(
            "Operators of onnxruntime's own domain (`com.microsoft`), which its optimiser and quantiser write into files, "
            f"that are replaced at load by those above: {microsoft}."
        )
        + _EDGES
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

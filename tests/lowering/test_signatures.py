"""Arguments are named once, in KernelCall: every kernel's signature must say the same, in the same order."""

from __future__ import annotations

import functools
import re

import pytest

from clconv.cases import Case
from clconv.lowering.model.arguments import (
    Local,
    Packed,
    Read,
    Scalar,
    Write,
)
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.template import prelude, render
from clconv.lowering.variants import VARIANTS
from tests.conftest import asks_for_all
from tests.lowering.every_call import DEVICE_CASES, DEVICES, calls_of
from tests.representatives import traits_of

# That every operator has variants is test_package's to say.
DEVICE_OPS = sorted({case.op for case in DEVICE_CASES if case.op in VARIANTS})


def parameters_of(source: str, symbol: str) -> list[str]:
    """Declarations of a kernel's parameters."""
    without_comments = re.sub(r"/\*.*?\*/|//[^\n]*", " ", source, flags=re.S)
    pattern = rf"\b(?:__)?kernel\b[^;{{]*?\bvoid\s+{re.escape(symbol)}\s*\(([^{{]*?)\)\s*\{{"
    found = re.findall(pattern, without_comments, re.S)
    assert len(found) == 1, f"{len(found)} kernels {symbol} in its source"
    return [" ".join(part.split()) for part in found[0].split(",")]


def name_of(declaration: str) -> str:
    words = re.findall(r"[A-Za-z_]\w*", declaration)
    return words[-1]


@functools.cache
def new_cases(op: str) -> list[Case]:
    """The operator's cases in which something is new: an input, a rank, an element type or a value of an attribute."""
    found, known = list[Case](), set[object]()
    for case in DEVICE_CASES:
        if case.op == op:
            traits = traits_of(case, case.build()[0], ())
            if not traits <= known:
                found.append(case)
            known |= traits
    return found


def cases_of(op: str, config: pytest.Config) -> list[Case]:
    """All of them in the whole run."""
    return [c for c in DEVICE_CASES if c.op == op] if asks_for_all(config) else new_cases(op)


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("op", DEVICE_OPS)
def test_signatures_match_the_calls(op: str, kind: str, pytestconfig: pytest.Config) -> None:
    seen = set()
    for case in cases_of(op, pytestconfig):
        for call in calls_of(case, DEVICES[kind]):
            assert len(call.global_size) == len(call.local_size or call.global_size)
            assert all(size > 0 for size in call.global_size), f"{case.name}: {call.global_size}"
            if call.kernel not in seen:
                seen.add(call.kernel)
                check(call)


def check(call: KernelCall) -> None:
    declared = parameters_of(render(call.kernel), call.kernel.symbol)
    assert [name_of(d) for d in declared] == [name for name, _ in call.arguments], (
        f"{call.kernel.template} and its lowering name the arguments differently"
    )
    for declaration, (_, argument) in zip(declared, call.arguments, strict=True):
        where = f"{call.kernel.template}: {declaration}"
        match argument:
            case Read() | Packed():
                assert "global" in declaration and "*" in declaration, where
                assert "const" in declaration, f"{where} is only read"
            case Write():
                assert "global" in declaration and "*" in declaration, where
                assert "const" not in declaration, f"{where} is written"
            case Scalar(_, ctype):
                assert re.match(rf"(const )?{ctype} ", declaration), f"{where} is passed a {ctype}"
            case Local():
                assert "local" in declaration and "*" in declaration, where


def test_the_prelude_defines_no_kernel() -> None:
    assert not re.search(r"\b(?:__)?kernel\s+void\b", prelude())

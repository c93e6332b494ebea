"""Halves in rendered kernels: every pointer that a launch binds to float16 is declared as such."""

from __future__ import annotations

import re

import pytest

from clconv.lowering.model.arguments import Packed, Read, Write
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.template import program_source, render
from tests.kernels.halves import OPS, cases_of
from tests.lowering.every_call import DEVICES, calls_of
from tests.lowering.test_signatures import parameters_of

# Kernels that only move elements see them as unsigned integers of the same size or, long runs, in wholes of it.
MOVED = re.compile(r"\b(uchar|ushort|uint|ulong)\d*\s*\*")


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("op", OPS)
def test_pointers_to_halves_are_declared_so(op: str, kind: str) -> None:
    seen: set[Kernel] = set()
    for case in cases_of(op):
        for call in calls_of(case, DEVICES[kind]):
            if call.kernel not in seen:
                seen.add(call.kernel)
                check(call)
    assert any(dict(kernel.parameters).get("halves") for kernel in seen)


def check(call: KernelCall) -> None:
    halves = dict(call.kernel.parameters).get("halves", ())
    source = render(call.kernel)
    declared = parameters_of(source, call.kernel.symbol)
    for declaration, (name, argument) in zip(declared, call.arguments, strict=True):
        if not isinstance(argument, Read | Write | Packed):
            continue
        where = f"{call.kernel.template}: {declaration}"
        if name in halves:
            assert re.search(r"\bhalf\b", declaration) or MOVED.search(declaration), where
        else:
            assert not re.search(r"\bhalf\b", declaration), where


def test_the_functions_for_halves_come_only_where_they_are_called() -> None:
    kernels = {
        source: Kernel.of(
            "elementwise/cast.cl.mako",
            "cast",
            source=source,
            target="float",
            conversion="(float)value",
            width=8,
            by_int=False,
            to_bool=False,
        )
        for source in ("half", "int")
    }
    assert "vload_half8" in program_source((kernels["half"],))
    assert "half" not in program_source((kernels["int"],))

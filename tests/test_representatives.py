"""The quick run has every operator, every variant and every element type."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import pytest

from clconv.cases import Case
from clconv.device.info import DeviceInfo
from tests.kernels.support import applicable, plans
from tests.kernels.test_cases import DEVICE_CASES, most_quick, optimised_of, without_repetitions
from tests.representatives import repetitions, variants_of

SAMPLE = ("Conv", "AveragePool", "ReduceMax", "ReduceMin", "Add", "LSTM")


@functools.cache
def quick_cases(device: DeviceInfo) -> list[Case]:
    def test() -> None: ...

    items: list[Any] = [
        SimpleNamespace(
            function=test, callspec=SimpleNamespace(params={"case": case, "device": device})
        )
        for case in DEVICE_CASES
    ]
    left = {id(item.callspec.params["case"]) for item in repetitions(items)}
    return [case for case in DEVICE_CASES if id(case) not in left]


def test_every_operator_and_every_variant_is_in_the_quick_run(device: DeviceInfo) -> None:
    quick = quick_cases(device)
    assert len(quick) < len(DEVICE_CASES) / 2

    def met(cases: list[Case]) -> set[tuple[str, str]]:
        return {(case.op, name) for case in cases for name in ("", *variants_of(case, device))}

    def types(cases: list[Case]) -> set[tuple[str, str]]:
        return {(case.op, i.dtype) for case in cases for i in case.inputs if i is not None}

    assert met(quick) == met(DEVICE_CASES)
    assert types(quick) == types(DEVICE_CASES)


@pytest.mark.slow
def test_the_applicable_variants_are_those_that_have_plans(device: DeviceInfo) -> None:
    for case in DEVICE_CASES[::5]:
        assert applicable(case, device) == tuple(name for name, _ in plans(case, device)), case.name


@pytest.mark.parametrize("op", SAMPLE)
def test_a_case_that_is_kept_is_tried_and_each_variant_is(op: str, device: DeviceInfo) -> None:
    cases = [case for case in quick_cases(device) if case.op == op]
    tried = without_repetitions(cases, device, most_quick(op))
    assert all(tried[case.name] for case in cases if variants_of(case, device))
    found = {name for kept in tried.values() for name, _ in kept}
    assert found >= {name for case in cases for name in variants_of(case, device)}
    full = {n for kept in tried.values() for n, plan in kept if plan.device == device}
    assert full >= {name for case in cases for name in variants_of(case, device)}
    for is_whole in (False, True):
        first = {id(plan) for plan in optimised_of(op, tried, is_whole)}
        seen = {name for kept in tried.values() for name, plan in kept if id(plan) in first}
        like_another = most_quick(op) == 1
        assert seen == found or (like_another and not is_whole), "each variant as users have it"
    assert most_quick(op) >= 1

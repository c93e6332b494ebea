"""What benchmarks/offline_compile.py compiles: the variants that could run, by the rule that chooses them."""

from __future__ import annotations

import dataclasses

from benchmarks.offline_compile import launches
from clconv.cases.base import Case, data
from clconv.device.info import nvidia_matrix
from tests.lowering.support import NVIDIA

HOPPER = dataclasses.replace(NVIDIA, matrix=nvidia_matrix((9, 0)), largest_work_group=1024)


def test_what_a_device_would_end_too_early_is_left_out() -> None:
    graph, _ = Case("Softmax", "long", (data(2, 40_000),)).build()
    every = {call.kernel for call in launches(graph, HOPPER)}
    short = {call.kernel for call in launches(graph, dataclasses.replace(HOPPER, most_rounds=1000))}
    assert short and short < every


def test_each_precision_that_there_are_instructions_for() -> None:
    graph, _ = Case("MatMul", "square", (data(64, 64), data(64, 64))).build()

    def with_instructions(matrix: frozenset[str]) -> set[str]:
        calls = launches(graph, dataclasses.replace(HOPPER, matrix=matrix))
        kinds = [dict(call.kernel.parameters).get("kind") for call in calls]
        return {kind.type for kind in kinds if kind is not None}

    assert with_instructions(HOPPER.matrix) == {"tf32"}
    assert with_instructions(frozenset()) == set()


def test_lines_are_shared_by_local_memory_and_by_shuffles() -> None:
    graph, _ = Case("Softmax", "rows", (data(64, 4096),)).build()
    splits = [dict(call.kernel.parameters).get("work_split") for call in launches(graph, HOPPER)]
    assert {work_split.shuffle for work_split in splits if work_split is not None} == {"", "nvidia"}

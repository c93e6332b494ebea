"""A network to tune, a folder of its own for what is found, and a script in the place of a device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clconv import errors
from clconv.device.findings import NOTHING_FOUND
from clconv.device.options import PlanOptions
from clconv.graph.ir import Graph
from clconv.tuning.search import Search
from clconv.tuning.tasks import Task, tasks_of
from clconv.tuning.trial import Candidate, time_together, verify
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, optimised

SAME = {"pads": (1, 1, 1, 1)}


@pytest.fixture(autouse=True)
def own_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(errors, "_warned", set())
    monkeypatch.setattr("clconv.runtime.measurement_files._shipped", lambda: ())


def network() -> Graph:
    """Two convolutions of one shape, the second with a residual sum, one of another, a dense layer."""
    b = Builder()
    x = b.node("Relu", b.conv(b.input(1, 16, 12, 12), 16, 16, 3, **SAME))
    y = b.node("Relu", b.node("Add", b.conv(x, 16, 16, 3, **SAME), x))
    z = b.node("Flatten", b.conv(y, 8, 16, 3, strides=(2, 2)), axis=1)
    return optimised(b.graph(b.node("MatMul", z, b.random(200, 10), out="out")))


def task_of() -> Task:
    """The first convolution, as if these were its variants, and the first of them the usual one."""
    task = tasks_of(network(), AVX2, PlanOptions(), NOTHING_FOUND)[0]
    named = {v.name: v for v in task.variants}
    variants = tuple(named[n] for n in ("winograd4", "winograd2", "direct"))
    return dataclasses.replace(task, usual=("winograd4", ()), variants=variants)


class Scripted:
    """Stands for a Worker: errors and seconds by candidate."""

    def __init__(
        self,
        seconds: Callable[[Candidate], float],
        error: Callable[[Candidate], float] = lambda candidate: 1e-6,
    ) -> None:
        self.seconds, self.error = seconds, error
        self.timed: list[Candidate] = []

    def call(self, function: Any, *arguments: Any, limit: float) -> Any:
        if function is verify:
            return self.error(arguments[2])
        if function is time_together:
            self.timed += arguments[2]
            return [[self.seconds(c)] * arguments[3] for c in arguments[2]]
        return None


def best_of(scripted: Scripted, task: Task | None = None) -> tuple[Any, Search]:
    search = Search(AVX2, scripted)  # type: ignore[arg-type]
    return search.run(task or task_of()), search

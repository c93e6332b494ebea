"""The tuner: what it searches, how it decides, that it keeps what it found, and that the result is used."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.ir import DType, TensorSpec
from clconv.graph.reference import run_reference
from clconv.lowering.lower import lower_graph
from clconv.planning.planner import Planner
from clconv.runtime.check import relative_error
from clconv.runtime.measurement_files import own_file, read_entries
from clconv.runtime.worker import Worker
from clconv.session.session import Session
from clconv.tuning import trial
from clconv.tuning.runs import Outcome, as_usual, compare_whole, run_tasks
from clconv.tuning.search import Search
from clconv.tuning.tasks import Task, case_tasks, tasks_of
from clconv.tuning.trial import TuningTrial, time_together, verify
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, NVIDIA, optimised
from tests.runtime.support import picture
from tests.tuning.support import (
    SAME,
    Scripted,
    best_of,
    network,
    own_findings,  # noqa: F401
    task_of,
)


def test_tasks_are_shapes_with_rivals_in_the_same_layouts() -> None:
    conv, stride, dense = tasks_of(network(), AVX2, PlanOptions(), NOTHING_FOUND)
    assert (conv.count, stride.count, dense.count) == (2, 1, 1)
    names = [[v.name for v in task.variants] for task in (conv, stride, dense)]
    chosen = lower_graph(network(), AVX2).choices
    for task, all_of_it in zip((conv, stride, dense), names, strict=True):
        assert task.usual == (chosen[task.node.name].variant.name, ())
        assert all_of_it[0] == task.usual[0] and len(set(all_of_it)) == len(all_of_it)
    assert {"winograd4", "winograd2", "direct"} <= {*names[0]} and "depthwise" not in names[0]
    assert "direct" in names[1] and "winograd4" not in names[1] and dense.node.op == "MatMul"
    assert all("simple" not in all_of_it for all_of_it in names[:2])
    (only,) = tasks_of(network(), AVX2, PlanOptions(), NOTHING_FOUND, ["MatMul"])
    assert only.shape == dense.shape
    bad = Findings(frozenset({("Conv", "winograd4"), ("Conv", "winograd2")}))
    left = [v.name for v in tasks_of(network(), AVX2, PlanOptions(), bad)[0].variants]
    assert left and not {"winograd4", "winograd2"} & {*left}
    for_gpus = {
        "implicit_gemm",
        "winograd4_gpu",
        "winograd2_gpu",
        "winograd2_fused",
        "winograd4_fused",
    }
    assert tasks_of(network(), NVIDIA, PlanOptions(), NOTHING_FOUND)[0].usual[0] in for_gpus


def test_tasks_of_cases_are_the_large_ones() -> None:
    tasks = case_tasks(AVX2, PlanOptions(), NOTHING_FOUND, ["Conv", "Gemm"])
    assert {t.shape.operator for t in tasks} == {"Conv", "Gemm"}
    assert len({t.shape for t in tasks}) == len(tasks)


def test_first_use_searches_nothing(tmp_path: Path) -> None:
    """A network that nobody tuned is loaded and run without the tuner, and leaves no results."""
    program = (
        "import sys, numpy, clconv; from clconv.frontend.layers import Conv2d;"
        "session = clconv.load(Conv2d(4, 3).build((3, 8, 8)));"
        "session.run({n: numpy.zeros(s.shape, 'f') for n, s in session.inputs.items()});"
        "print([m for m in sys.modules if m in ('clconv.tuning.search', 'clconv.tuning.tasks', 'clconv.tuning.trial')])"
    )
    environment = {**os.environ, "CLCONV_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert not (tmp_path / "tuned.json").exists()


def test_results_are_kept_as_they_come_and_a_second_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks = tasks_of(network(), AVX2, PlanOptions(), NOTHING_FOUND)
    search = Search(AVX2, Scripted(lambda c: 1.0 - 0.1 * len(c[1])))  # type: ignore[arg-type]
    original, searched = search.run, []

    def run(task: Task) -> Any:
        if len(searched) == 1:
            raise KeyboardInterrupt
        searched.append(task)
        return original(task)

    monkeypatch.setattr(search, "run", run)
    with pytest.raises(KeyboardInterrupt):
        list(run_tasks(tasks, AVX2, search))
    assert [e.shape for e in read_entries(own_file())[0]] == [tasks[0].shape]
    monkeypatch.setattr(search, "run", original)
    outcomes = list(run_tasks(tasks, AVX2, search))
    assert [o.again for o in outcomes] == [True, False, False]
    assert all(o.gain > 1 for o in outcomes)
    assert len(read_entries(own_file())[0]) == 3
    assert not any(o.again for o in run_tasks(tasks, AVX2, search, afresh=True))
    newer = dataclasses.replace(AVX2, driver="2")
    assert not any(o.again for o in run_tasks(tasks, newer, search))


def test_taking_back_leaves_the_usual_choice() -> None:
    entry, _ = best_of(Scripted(lambda c: 0.5 if c[0] == "direct" else 1.0, lambda c: 1e-6))
    back = as_usual(entry)
    assert back.is_default and back.seconds == 1.0 and Outcome(task_of(), back).gain == 1.0


@pytest.mark.parametrize("position", range(3))
def test_a_trial_is_the_node(device: DeviceInfo, position: int) -> None:
    """As itself in another process: the same reference, also with an epilogue and random weights."""
    task = tasks_of(network(), device, PlanOptions(), NOTHING_FOUND)[position]
    made = TuningTrial.of(position, task.graph, task.node)
    graph, feeds = made.build()
    assert run_reference(graph, feeds).keys() == set(task.node.outputs)
    assert verify(made, device, task.usual) < 2e-5
    ((first, second),) = time_together(made, device, [task.usual], 2)
    assert 0 < first < 1 and 0 < second < 1


def test_large_weights_are_made_up_but_small_ones_are_the_networks_own() -> None:
    b = Builder()
    graph = optimised(b.graph(b.conv(b.input(1, 128, 4, 4), 160, 128, out="y")))
    made = TuningTrial.of(0, graph, graph.nodes[0])
    assert set(made.weights) == {"c0"} and set(made.given) == {"c1"}
    assert np.array_equal(made.given["c1"], graph.constants["c1"].array)
    assert made.weights["c0"] == TensorSpec((160, 128, 1, 1), DType.FLOAT32)
    assert made.build()[0].constants["c0"].array.std() > 0.3


@pytest.mark.slow
def test_a_search_on_the_device_is_used_afterwards(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a space of few values; whatever wins is right, and a session takes it."""
    b = Builder()
    graph = optimised(b.graph(b.conv(b.input(1, 16, 10, 10), 24, 16, 3, out="y", **SAME)))
    (task,) = tasks_of(graph, device, PlanOptions(), NOTHING_FOUND)
    few = tuple(
        dataclasses.replace(v, space={n: values[:2] for n, values in v.space.items()})
        for v in task.variants
    )
    task = dataclasses.replace(task, variants=few)
    monkeypatch.setattr("clconv.tuning.search.LEAST_GAIN", -10.0)  # whatever is not the usual one
    with Worker() as worker:
        (outcome,) = run_tasks([task], device, Search(device, worker))
        assert outcome.entry is not None and outcome.entry.error <= 2e-5
    session = Session(graph, device)
    (choice,) = session.prepare({"x": (1, 16, 10, 10)}).plan.lowered.choices.values()
    assert choice.source.startswith("tuned: exact shape")
    feeds = {"x": picture(1, 16, 10, 10)}
    (found,), (expected,) = session.run(feeds).values(), run_reference(graph, feeds).values()
    assert relative_error(found, expected) < 2e-5
    specs = {"x": graph.specs["x"]}
    seconds = compare_whole(graph, specs, Planner(device), [outcome.entry])
    assert all(0 < s < 1 for s in seconds)
    trial._bench = None

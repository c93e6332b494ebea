"""The tuner: what it searches, how it decides, that it keeps what it found, and that the result is used."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clconv import errors
from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.graph.reference import run_reference
from clconv.lowering.lower import lower_graph
from clconv.planning.planner import Planner
from clconv.runtime.check import relative_error
from clconv.runtime.measurement_files import own_file, read_entries
from clconv.runtime.worker import Failed, Worker, WorkerTimeout
from clconv.session.session import Session
from clconv.tuning import trial
from clconv.tuning.runs import Outcome, as_usual, compare_whole, tune_all
from clconv.tuning.search import Search, Step, is_faster
from clconv.tuning.tasks import Task, case_tasks, tasks_of
from clconv.tuning.trial import Candidate, Trial, time_together, verify
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, NVIDIA, optimised
from tests.runtime.support import picture

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
    for_gpus = {"implicit_gemm", "winograd4_gpu", "winograd2_gpu", "winograd2_fused"}
    assert tasks_of(network(), NVIDIA, PlanOptions(), NOTHING_FOUND)[0].usual[0] in for_gpus


def test_tasks_of_cases_are_the_large_ones() -> None:
    tasks = case_tasks(AVX2, PlanOptions(), NOTHING_FOUND, ["Conv", "Gemm"])
    assert {t.shape.operator for t in tasks} == {"Conv", "Gemm"}
    assert len({t.shape for t in tasks}) == len(tasks)


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


def test_the_fastest_variant_and_parameters_are_found() -> None:
    def seconds(candidate: Candidate) -> float:
        variant, given = candidate[0], dict(candidate[1])
        at_best = (variant == "direct") + (given.get("vectors") == 1) + (given.get("pixels") == 4)
        return 1.0 - 0.2 * at_best

    entry, _ = best_of(Scripted(seconds))
    assert entry.variant == "direct" and dict(entry.parameters) == {"pixels": 4, "vectors": 1}
    assert entry.seconds == pytest.approx(0.4) and entry.default_seconds == 1.0
    assert not entry.is_default and entry.error == 1e-6


def test_what_is_wrong_is_rejected_before_it_is_timed() -> None:
    def error(candidate: Candidate) -> float:
        return 1e-6 if candidate[0] == "winograd4" else math.nan if candidate[1] else 1e-3

    scripted = Scripted(lambda c: 0.1 if c[0] == "direct" else 1.0, error)
    entry, search = best_of(scripted)
    assert entry.is_default and entry.variant == "winograd4"
    assert {c[0] for c in scripted.timed} == {"winograd4"}
    assert any("direct: error 0.001, allowed 2e-05" in line for line in search.rejected)


def test_the_usual_error_is_allowed_and_no_more() -> None:
    fast = Scripted(lambda c: 0.5 if c[0] == "direct" else 1.0, lambda c: 1e-4)
    assert best_of(fast)[0].variant == "direct"
    fast.error = lambda c: 1e-4 if c[0] == "winograd4" else 1.01e-4
    assert best_of(fast)[0].is_default


def test_what_takes_too_long_or_dies_is_abandoned() -> None:
    def error(candidate: Candidate) -> float:
        if candidate[0] == "direct":
            raise WorkerTimeout("not done after 60 s")
        if candidate == ("winograd2", ()):
            raise Failed("KernelBuildError: no")
        return 1e-6

    entry, search = best_of(Scripted(lambda c: 1.0 if c[0] == "winograd4" else 0.1, error))
    assert entry.is_default
    assert any("direct: not done after 60 s" in line for line in search.rejected)
    assert any("winograd2: KernelBuildError" in line for line in search.rejected)

    def never(candidate: Candidate) -> float:
        raise Failed("no")

    assert best_of(Scripted(lambda c: 1.0, never))[0] is None


def test_trials_of_two_searches_are_never_taken_for_each_other() -> None:
    numbers = []

    class Listening(Scripted):
        def call(self, function: Any, *arguments: Any, limit: float) -> Any:
            numbers.append(arguments[0].number)
            return super().call(function, *arguments, limit=limit)

    one = Listening(lambda c: 1.0)
    for _ in range(2):  # one worker, as a session of several commands would have it
        best_of(one)
    assert len(set(numbers)) == 2


def test_who_watches_is_told_what_is_tried_and_gained() -> None:
    steps: list[Step] = []
    scripted = Scripted(lambda c: 0.5 if c[0] == "direct" else 1.0)
    Search(AVX2, scripted, told=steps.append).run(task_of())  # type: ignore[arg-type]
    assert "direct" in [step.what for step in steps]
    assert steps[0].gain == 1.0 and steps[-1].gain == pytest.approx(2.0)


def test_candidates_take_turns_and_those_far_behind_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Warm: each has run before the first sample that counts; in turns: no round times one of them twice in a row."""
    names: list[Candidate] = [("a", ()), ("b", ()), ("slow", ())]
    seconds = dict(zip(names, (1e-3, 1.1e-3, 9e-3), strict=True))
    ran: list[Candidate] = []
    sampled: list[tuple[Candidate, int]] = []

    class Bound:
        def __init__(self, candidate: Candidate) -> None:
            self.candidate = candidate

        def run(self, feeds: object) -> None:
            ran.append(self.candidate)

    class Bench:
        feeds: object = None

        def keep_only(self, candidates: object) -> None:
            pass

        def bound(self, candidate: Candidate) -> Bound:
            return Bound(candidate)

        def sample(self, candidate: Candidate, repeats: int) -> float:
            assert candidate in ran
            sampled.append((candidate, repeats))
            return seconds[candidate]

    monkeypatch.setattr(trial, "_bench_of", lambda *arguments: Bench())
    times = time_together(None, AVX2, names, 7)  # type: ignore[arg-type]
    assert ran == names and [len(t) for t in times] == [7, 7, 3]
    counted = [candidate for candidate, _ in sampled[2 * len(names) :]]
    assert {repeats for _, repeats in sampled[2 * len(names) :]} == {2}  # as many launches each
    for start in (0, 3, 6):
        assert set(counted[start : start + 3]) == set(names)
    assert counted[9:11] != [names[0]] * 2 and set(counted[9:11]) == set(names[:2])


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


def test_a_small_gain_is_no_gain() -> None:
    assert best_of(Scripted(lambda c: 1.0 if c[0] == "winograd4" else 0.98))[0].is_default
    assert not best_of(Scripted(lambda c: 1.0 if c[0] == "winograd4" else 0.96))[0].is_default


def test_a_gain_must_show_in_most_rounds() -> None:
    assert is_faster([1.0] * 10, [0.9] * 10)
    assert is_faster([1.0] * 10, [0.9] * 8 + [5.0] * 2)
    assert not is_faster([1.0] * 10, [0.5] * 7 + [1.1] * 3)
    assert not is_faster([1.0, 3.0] * 5, [0.98, 2.95] * 5)
    assert not is_faster([9.0] * 7 + [1.0] * 3, [0.99] * 10)  # disturbed, else as fast
    assert not is_faster([1.0] * 10, [0.1] * 3)  # given up
    assert not is_faster([math.inf], [math.inf])


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
        list(tune_all(tasks, AVX2, search))
    assert [e.shape for e in read_entries(own_file())[0]] == [tasks[0].shape]
    monkeypatch.setattr(search, "run", original)
    outcomes = list(tune_all(tasks, AVX2, search))
    assert [o.again for o in outcomes] == [True, False, False]
    assert all(o.gain > 1 for o in outcomes)
    assert len(read_entries(own_file())[0]) == 3
    assert not any(o.again for o in tune_all(tasks, AVX2, search, afresh=True))
    newer = dataclasses.replace(AVX2, driver="2")
    assert not any(o.again for o in tune_all(tasks, newer, search))


def test_taking_back_leaves_the_usual_choice() -> None:
    entry, _ = best_of(Scripted(lambda c: 0.5 if c[0] == "direct" else 1.0, lambda c: 1e-6))
    back = as_usual(entry)
    assert back.is_default and back.seconds == 1.0 and Outcome(task_of(), back).gain == 1.0


@pytest.mark.parametrize("position", range(3))
def test_a_trial_is_the_node(device: DeviceInfo, position: int) -> None:
    """As itself in another process: the same reference, also with an epilogue and random weights."""
    task = tasks_of(network(), device, PlanOptions(), NOTHING_FOUND)[position]
    made = Trial.of(position, task.graph, task.node)
    graph, feeds = made.build()
    assert run_reference(graph, feeds).keys() == set(task.node.outputs)
    assert verify(made, device, task.usual) < 2e-5
    ((first, second),) = time_together(made, device, [task.usual], 2)
    assert 0 < first < 1 and 0 < second < 1


def test_large_weights_are_made_up_but_small_ones_are_the_networks_own() -> None:
    b = Builder()
    graph = optimised(b.graph(b.conv(b.input(1, 128, 4, 4), 160, 128, out="y")))
    made = Trial.of(0, graph, graph.nodes[0])
    assert set(made.weights) == {"c0"} and set(made.given) == {"c1"}
    assert np.array_equal(made.given["c1"], graph.constants["c1"].array)
    assert made.weights["c0"] == TensorSpec((160, 128, 1, 1), DType.FLOAT32)
    assert made.build()[0].constants["c0"].array.std() > 0.3


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
        (outcome,) = tune_all([task], device, Search(device, worker))
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

"""benchmarks/gpu's tuning of networks' layers, tried on any device."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gpu import tuning
from benchmarks.gpu.lanes import Bench, Lane
from clconv.device.info import DeviceInfo
from clconv.device.measurements import Entry, Machine
from clconv.runtime.measurement_files import read_entries
from tests.patience import HANG


@pytest.fixture
def bench(tmp_path: Path, device: DeviceInfo) -> Iterator[Bench]:
    options = argparse.Namespace(
        json=tmp_path / "gpu.json", small=True, jobs=1, nets=["resnet18"], batches=[1], precisions=["float32"]
    )  # fmt: skip
    end = time.monotonic() + 2 * HANG
    found = Bench(options, device, "", {}, end, end, Lane(), Lane())
    yield found
    found.ours.close()
    found.theirs.close()


def test_layers_with_most_operations_come_first(bench: Bench) -> None:
    ordered = [task for _, task in tuning.ordered_tasks(bench)]
    assert len(ordered) > 5 and ordered[0].node.op == "Conv"
    assert len({task.shape for task in ordered}) == len(ordered)
    candidates = tuning.first_candidates(ordered[0])
    assert candidates[0] == ordered[0].usual and len(set(candidates)) == len(candidates) > 2


def test_what_is_found_is_kept_and_tried_in_the_network(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Searched for real by tests/tuning; here another variant is said to be the best."""

    def searched(
        bench: Bench, tasks: Iterable[tuple[Any, Any]], end: float
    ) -> Iterator[tuple[Any, Entry | None, list[str]]]:
        machine = Machine.of(bench.device)
        for number, (_, task) in enumerate(tasks):
            other = next(v.name for v in task.variants if v.name != task.usual[0])
            entry = Entry(
                machine, task.shape, other, (), seconds=0.001, default_seconds=0.002, is_default=False
            )  # fmt: skip
            yield task, None if number else entry, ["refused"] if number else []

    monkeypatch.setattr(tuning, "searched", searched)
    monkeypatch.setattr(tuning, "first_candidates", lambda task: [task.usual])
    tuning.run_tuning(bench)
    found = json.loads(bench.options.json.read_text())["tuned"]
    (layer,), (network,) = found["layers"], found["networks"]
    assert (found["rejected"], found["left"]) == (["refused"], 1)
    assert layer["best"] != layer["usual"] and (layer["usual_ms"], layer["ms"]) == (2.0, 1.0)
    assert network["name"] == "resnet18" and network["ms"] > 0 and network["usual_ms"] > 0
    entries, _ = read_entries(bench.options.json.with_suffix(".measurements.json"))
    assert [entry.variant for entry in entries] == [layer["best"]]
    assert layer["best"] in "\n".join(tuning.lines(found))


def test_a_search_ends_when_its_time_is_over(bench: Bench) -> None:
    tasks = tuning.ordered_tasks(bench)[:2]
    found = list(tuning.searched(bench, tasks, time.monotonic()))
    assert [entry for _, entry, _ in found] == [None, None]

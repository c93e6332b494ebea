"""The operator benchmark: what it picks, what it reports, that it runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks import bench_ops
from benchmarks.bench_ops import MeasuredOperator, bench_case, best, describe, large_cases, merge
from clconv.cases import CASES
from clconv.device.info import DeviceInfo
from clconv.diagnosis.peak import Peak
from clconv.graph.ops.base import Cost

CASE = next(c for c in CASES if c.name == "Conv-3x3_same")
ROW = MeasuredOperator("case", "Conv", "a", "direct", 1, Cost(4_000_000, 1000), 2e-3)


def test_large_cases_are_worth_timing() -> None:
    found = large_cases([])
    assert len(found) >= 20 and CASE in found
    assert not any("one_pixel" in c.name for c in found)
    assert {c.op for c in large_cases(["convtranspose"])} == {"ConvTranspose"}


def test_rates_are_of_the_operators_work() -> None:
    record = ROW.record(Peak(flops=4e9, bytes=1e9))
    assert record["us"] == pytest.approx(2000)
    assert record["gflops"] == pytest.approx(2) and record["percent_of_flops"] == pytest.approx(50)
    assert record["gbytes"] == pytest.approx(0.0005)
    assert record["percent_of_peak"] == pytest.approx(50), "arithmetic is what holds it back"


def test_equal_layers_are_one_row_with_their_mean() -> None:
    rows: dict[tuple[str, ...], MeasuredOperator] = {}
    for seconds in (1e-3, 2e-3, 6e-3):
        merge(rows, dataclasses.replace(ROW, seconds=seconds))
    merge(rows, dataclasses.replace(ROW, label="b"))
    first, second = rows.values()
    assert (first.count, second.count) == (3, 1)
    assert first.seconds == pytest.approx(3e-3)


def test_the_best_of_several_peaks() -> None:
    assert best(Peak(1, 5), Peak(3, 2)) == Peak(3, 5)


def test_a_layer_is_described_by_shapes_and_window() -> None:
    graph, _ = CASE.build()
    assert describe(graph.nodes[0], graph) == "16x14x14 -> 32x14x14 window 3x3"


@pytest.mark.slow
def test_every_variant_of_a_case(device: DeviceInfo) -> None:
    rows = list(bench_case(CASE, device, 1, every_variant=True))
    names = [row.variant for row in rows]
    assert len(names) == len(set(names)) >= 2 and "simple" in names
    assert all(row.seconds > 0 and row.launches >= 1 for row in rows)
    assert {row.cost for row in rows} == {rows[0].cost}, "the work is the operator's"


@pytest.mark.slow
def test_the_whole_writes_a_table_and_json(
    device: DeviceInfo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new" / "ops.json"
    words = ["--device", str(device.index), "--only", "3x3_same", "--nets", "squeezenet1_1",
             "--repeats", "1", "--json", str(target)]  # fmt: skip
    bench_ops.main(words)
    record = json.loads(target.read_text(encoding="utf-8"))
    assert record["command"].endswith(" ".join(words))
    assert record["peak"]["gflops"] > 0 and record["device"] == str(device)
    where = {row["where"] for row in record["rows"]}
    assert where == {"case", "squeezenet1_1"}
    layers = [row for row in record["rows"] if row["where"] == "squeezenet1_1"]
    assert sum(row["count"] for row in layers if row["op"] == "Conv") == 26
    shown = capsys.readouterr().out
    assert "GFLOP/s" in shown and "squeezenet1_1" in shown

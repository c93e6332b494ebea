"""The chart of whole networks, drawn from a made-up result."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import chart
from benchmarks.nets import NETS

pytest.importorskip("matplotlib")


def engine(version: str, milliseconds: float, ratio: float) -> dict[str, Any]:
    return {
        "version": version, "median_ms": milliseconds, "least_ms": milliseconds * 0.9,
        "load_s": 1.0, "peak_bytes": 1 << 28, "clconv_ratio": ratio,
    }  # fmt: skip


def record(networks: int = 10, peers: int = 2) -> dict[str, Any]:
    """As bench_models writes it; the numbers are invented."""
    results = []
    for i, name in enumerate(list(NETS)[:networks]):
        ours = 5.0 + 9 * i
        engines = {"clconv": engine("clconv 0.1 on CPU", ours, 1.0)}
        for k in range(peers):
            ratio = 0.5 + 0.06 * i + 0.1 * k
            engines[f"peer{k}"] = engine(f"peer{k} 1.{k}", ours / ratio, ratio)
        results.append({"network": name, "batch": 1, "engines": engines, "error": 1e-6})
    machine = {"processor": "Some Processor", "cores": 2, "python": "3.11", "numpy": "2",
               "date": "2026-01-01"}  # fmt: skip
    return {"command": "python -m benchmarks.bench_models", "machine": machine, "results": results}


def test_ratios_means_and_names() -> None:
    found = chart.read(record(2))
    assert found.networks == ("VGG-16", "ResNet-18")
    assert found.milliseconds == (5.0, 14.0)
    assert [s.peer for s in found.series] == ["peer0", "peer1"]
    assert found.series[0].ratios == pytest.approx((0.5, 0.56))
    assert found.series[0].mean == pytest.approx((0.5 * 0.56) ** 0.5)
    assert "2 cores" in found.machine and "batch 1" in found.machine


def test_every_network_has_a_name_for_people() -> None:
    assert set(chart.NAMES) == set(NETS)


def test_bars_lines_and_labels() -> None:
    found = chart.read(record())
    (axes,) = chart.draw(found).axes
    assert len(axes.patches) == 20
    widths = sorted(p.get_width() for p in axes.patches)
    assert widths == pytest.approx(sorted(r for s in found.series for r in s.ratios))
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert labels[0].startswith("VGG-16") and len(labels) == 10
    lines = sorted(line.get_xdata()[0] for line in axes.lines)
    assert lines == pytest.approx(sorted([1.0, *(s.mean for s in found.series)]))
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first network is on top"


def test_a_bar_far_too_long_is_cut_and_says_how_long_it_is() -> None:
    slow = record(2, 1)
    slow["results"][1]["engines"]["peer0"]["clconv_ratio"] = 40.0
    (axes,) = chart.draw(chart.read(slow)).axes
    assert max(p.get_width() for p in axes.patches) < 5
    assert "40.00" in [t.get_text() for t in axes.texts]


@pytest.mark.parametrize("ending, start", [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_pictures(tmp_path: Path, ending: str, start: bytes) -> None:
    source, target = tmp_path / "r.json", tmp_path / "new" / f"r.{ending}"
    source.write_text(json.dumps(record(3)), encoding="utf-8")
    chart.main([str(source), "--out", str(target)])
    first = target.read_bytes()
    assert first.startswith(start)
    chart.main([str(source), "--out", str(target)])
    assert target.read_bytes() == first, "the same results make the same file"


def test_a_file_without_a_comparison_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = copy.deepcopy(record(2))
    del alone["results"][0]["engines"]["peer0"], alone["results"][1]["engines"]["peer1"]
    with pytest.raises(ValueError, match="no peer"):
        chart.read(alone)
    source = tmp_path / "empty.json"
    source.write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit):
        chart.main([str(source)])
    assert "no results" in capsys.readouterr().err

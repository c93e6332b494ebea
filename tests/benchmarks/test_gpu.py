"""benchmarks/gpu: what it would find out on a bare machine with a GPU, tried without one."""

from __future__ import annotations

import argparse
import glob
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.gpu import nvidia
from benchmarks.gpu.cases import BYTES, NETWORKS, known_operators, operators_of
from benchmarks.gpu.evidence import evidence
from benchmarks.gpu.lanes import ASKED_FOR, Bench, Lane, in_parallel
from benchmarks.gpu.report import geometric_mean, line, summary, with_peer
from benchmarks.gpu.run import PARTS, SMALL_PARTS, nothing_works
from benchmarks.gpu.training import agree
from benchmarks.gpu.work import closed, feeds_of, network_graph, short
from benchmarks.nets import NETS, OPEN
from clconv.cases import CASES
from clconv.graph.reference import run_reference
from clconv.runtime.device import choose_device
from clconv.runtime.opencl import open_device
from tests.patience import HANG

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "LD_LIBRARY_PATH",
        "OCL_ICD_VENDORS",
    ):  # set and taken back, so that undoing knows of them
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_nvidias_library_is_found_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*folders: str, cached: str = "") -> Path | None:
        return nvidia.library(folders, (str(tmp_path / "tree"),), cached)

    assert found(str(tmp_path)) is None
    deep = made(tmp_path / "tree/a/b/libnvidia-opencl.so.580.159.03")
    assert found() == deep
    known = made(tmp_path / "folder/libnvidia-opencl.so.1")
    assert found(str(known.parent)) == known
    listed = made(tmp_path / "listed/libnvidia-opencl.so.1")
    text = (
        f"\tlibnvidia-opencl.so.1 (libc6,x86-64) => {listed}\n\tlibcuda.so.1 => /x/libcuda.so.1\n"
    )
    assert found(str(known.parent), cached=text) == listed
    named = made(tmp_path / "named/libnvidia-opencl.so.1")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/none:{named.parent}")
    assert found(str(known.parent), cached=text) == named


def test_its_neighbours_are_within_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda *arguments: started.append(arguments))
    library = made(tmp_path / "libnvidia-opencl.so.1")
    nvidia.reach_neighbours(library, cached=f"libnvidia-opencl.so.1 => {library}")
    assert not started
    nvidia.reach_neighbours(library, cached="")
    assert started == [(sys.executable, [sys.executable, *sys.orig_argv[1:]])]
    assert os.environ["LD_LIBRARY_PATH"] == str(tmp_path)
    nvidia.reach_neighbours(library, cached="")  # what was started so goes on
    assert len(started) == 1


def test_the_wheels_loader_takes_the_icd_that_is_written() -> None:
    """And nothing else, though PoCL lies beside it."""
    import pyopencl

    folder = Path(pyopencl.__file__).parent / ".libs"
    (library,) = glob.glob(str(folder / "libpocl*.so")) or [""]
    if not library:
        pytest.skip("pyopencl came without PoCL")
    program = (
        "import sys; from pathlib import Path; from benchmarks.gpu import nvidia;"
        "print(nvidia.register(Path(sys.argv[1])).read_text().strip());"
        "import pyopencl; print(*(p.name for p in pyopencl.get_platforms()), sep=',')"
    )
    command = [sys.executable, "-c", program, library]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [library, "Portable Computing Language"]
    environment = {**os.environ, "OCL_ICD_VENDORS": "/nowhere"}
    left = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "Portable" not in left.stdout, "what was set is not changed"


def test_a_task_that_fails_or_hangs_costs_itself_only() -> None:
    tasks = [(divmod, 7, 2), (divmod, 1, 0), (os._exit, 3), (divmod, 9, 2)]
    started = time.monotonic()
    found = dict((n, (r, w)) for n, r, w in in_parallel(tasks, 2, started + HANG, HANG))
    assert found[0] == ((3, 1), "") and found[3] == ((4, 1), "")
    assert "ZeroDivisionError" in found[1][1] and "exit code 3" in found[2][1]
    assert list(in_parallel(tasks, 2, started - 1, HANG)) == []
    lane = Lane()
    assert lane.call(time.sleep, 2 * HANG, limit=0.1)[1] == "not done after 1 s"
    assert lane.call(os._exit, 3)[1] == "the process ended with exit code 3"
    assert lane.call(divmod, 7, 2)[0] == (3, 1)
    lane.close()


def test_what_the_end_cut_off_is_no_failure(tmp_path: Path) -> None:
    def kept(left: float) -> list[dict[str, Any]]:
        options = argparse.Namespace(json=tmp_path / "results.json", small=True)
        bench = Bench(options, None, "", {}, time.monotonic() + left, 0.0, None, None)  # type: ignore[arg-type]
        bench.add("networks", "one", {"failed": "not done after 3 s"})
        bench.add("networks", "two", row(1.0))
        assert json.loads(options.json.read_text()) == bench.record
        return list(bench.record["networks"])

    assert [("failed" in found) for found in kept(100)] == [True, False]
    assert [("failed" in found) for found in kept(0)] == [False]


def test_parts_run_alone_by_their_names_or_first_words(tmp_path: Path) -> None:
    def wanted(only: list[str], skip: list[str]) -> list[str]:
        options = argparse.Namespace(json=None, small=True, only=only, skip=skip)
        bench = Bench(options, None, "", {}, 0.0, 0.0, None, None)  # type: ignore[arg-type]
        return [part for part in PARTS if bench.wants(part)]

    assert wanted([], []) == [part for part in PARTS if part not in ASKED_FOR]
    assert wanted(["tune", "load"], []) == ["load", "tune"]
    assert wanted(["networks"], ["networks tf32"]) == ["networks float32", "networks float16"]
    assert wanted(["cases", "layers float16"], []) == ["cases", "layers float16"]
    assert not any(part.startswith("layers") for part in wanted([], ["layers"]))


def test_a_dry_run_has_shares_of_all_parts() -> None:
    assert list(SMALL_PARTS) == list(PARTS)
    for shares in (SMALL_PARTS, PARTS):
        assert set(shares) > ASKED_FOR
        assert abs(sum(shares[part] for part in PARTS if part not in ASKED_FOR) - 1) < 1e-9


def test_every_operator_has_its_cases_in_one_part() -> None:
    forward, backward = operators_of("cases"), operators_of("training")
    assert sorted([*forward, *backward]) == sorted(known_operators())
    assert forward[: len(NETWORKS) + len(BYTES)] == [*NETWORKS, *BYTES]
    assert {"ConvWeightGradient", "MaxPoolGradient", "SigmoidGradient"} <= set(backward)
    assert operators_of("cases", ["Relu", "Conv"]) == ["Conv", "Relu"]


def test_losses_may_drift_apart_but_not_begin_apart() -> None:
    assert agree([2.0, 1.5], [2.001, 1.51], 2e-3) and not agree([2.0], [2.01], 2e-3)
    assert not agree([2.0, 1.5], [2.0, 1.6], 2e-3) and not agree([math.nan], [2.0], 2e-3)


def test_evidence_has_numbers_and_sources() -> None:
    (case,) = (case for case in CASES if case.name == "MatMul-matrices")
    text = evidence(case, choose_device(), "simple", "float32")
    assert "0 of" in text and "kernel void" in text and "MatMul" in text


def test_where_nothing_works_the_time_is_kept() -> None:
    assert nothing_works({"passed": 0, "failed": ["no"] * 10})
    assert not nothing_works({"passed": 1, "failed": ["no"] * 99})
    assert not nothing_works({"passed": 0, "failed": []})  # none was asked for


def test_a_compilers_error_is_short() -> None:
    text = "GPU: the compiler refused a program\n" + "\n".join(f"{i}: source" for i in range(999))
    said = short(text + "\n<kernel>:7:3: error: no such thing\n1 error generated\n")
    assert said.startswith("GPU: the compiler") and "error: no such thing" in said
    assert len(said) < 700


def row(ratio: float, batch: int = 1, precision: str = "float32", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"name": "net", "batch": batch, "precision": precision, "ms": 2.0}
    with_peer(found, 1e-5, {"eager": 4e-3 * ratio, "graph": 2e-3 * ratio})
    return found | more


def test_the_summary_holds_goals_against_the_best_the_peer_can() -> None:
    one = row(0.5)
    assert one["ratio"] == pytest.approx(0.5) and one["eager_ratio"] == pytest.approx(1.0)
    assert one["peer_ms"] == pytest.approx(1.0) and not one["wrong"]
    assert math.isnan(geometric_mean([])) and geometric_mean([0.5, 2]) == pytest.approx(1)
    record: dict[str, Any] = {
        "networks": [one, row(2.0, 16), row(0.7, 1, "float16")],
        "latency": {"ms": 1.0, "peer_ms": 2.0},
        "cases": {"passed": 3, "failed": ["x"], "left": 1, "quarantined": ["Conv:bad"]},
    }
    text = "\n".join(summary(record))
    assert "3 passed, 1 failed, 1 not run; quarantined here: Conv:bad" in text
    assert (
        "networks in float32: 2 measured, 0 failed or wrong; 1.000 of the peer's speed, goal 0.9: met"
        in text
    )
    assert "batch 1 0.500; batch 16 2.000" in text and "goal 0.6: met" in text
    assert "2.000 ms: goal met" in text
    record["networks"].append({"name": "net", "batch": 64, "precision": "float32", "failed": "no"})
    wrong = row(9.0, 1, "float16")
    with_peer(wrong, math.nan, {})
    record["networks"].append(wrong)
    text = "\n".join(summary(record))
    assert text.count("MISSED") == 2 and "1 failed or wrong; 1.000" in text
    assert "goal" not in "\n".join(summary({**record, "small": True}))
    assert line("net", {"failed": "no"}) == "net: FAILED no" and "WRONG" in line("net", wrong)


@pytest.mark.parametrize("name", OPEN)
def test_open_networks_are_those_with_a_batch(name: str) -> None:
    """Of the same weights: only the specs of the inputs differ."""
    if name == "vgg16":
        pytest.skip("138 million weights")
    size = 256 if name == "unet" else 224
    graph, whole = closed(OPEN[name](size), 2), NETS[name](2)
    assert [graph.specs[n] for n in graph.inputs] == [whole.specs[n] for n in whole.inputs]
    assert [node.op for node in graph.nodes] == [node.op for node in whole.nodes]
    for constant in list(whole.constants)[:5]:
        assert np.array_equal(graph.constants[constant].array, whole.constants[constant].array)


@pytest.mark.parametrize("precision", ["float32", "tf32", "float16"])
@pytest.mark.parametrize("name", ["unet", "mobilenetv2", "resnet18"])
def test_pytorch_computes_the_same(name: str, precision: str) -> None:
    pytest.importorskip("torch")
    from benchmarks.torch_peer import TorchPeer

    graph = network_graph(name, 32)
    feeds = feeds_of(closed(graph, 2))
    (expected,) = run_reference(closed(graph, 2), feeds).values()
    for last in (False, True):
        (found,) = TorchPeer(graph, precision, "cpu", last).outputs(feeds).values()
        error = np.abs(found - expected).max() / np.abs(expected).max()
        assert error < (5e-2 if precision == "float16" else 1e-4)
        assert found.dtype == np.float32


@pytest.mark.slow
def test_the_whole_of_it_runs_without_a_gpu(tmp_path: Path) -> None:
    """With the kernels for GPUs, matrix instructions emulated; a network whose kernels fail costs its row."""
    device, results = choose_device(), tmp_path / "results.json"
    open_device(device)
    command = [
        sys.executable, "-m", "benchmarks.gpu", "--device", str(device.index), "--small", "--as-gpu", "--nets", "unet",
        "--cases", "MatMul", "--precisions", "float32", "--seconds", "300", "--skip", "layers", "training",
        "--note", "a prediction", "--json", str(results),
    ]  # fmt: skip
    environment = {**os.environ, "CLCONV_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(results.read_text())
    assert record["note"] == "a prediction" and record["device"] == str(device)
    assert record["matrix"]["right"] == ["emulated", "f16", "f16 k16", "tf32"]
    assert record["cases"]["passed"] > 10 and not record["cases"]["failed"]
    (one,) = record["networks"]
    assert one["precision"] == "float32" and one["ms"] > 0 and one["top"][0]["ms"] > 0
    assert "Conv:implicit_gemm" in one["variants"] and not any(
        "matrix" in v for v in one["variants"]
    )
    assert (
        record["latency"]["ms"] > 0 and "networks in float32: 1 measured, 0 failed" in done.stdout
    )
    assert all(record["latency"][f"{s}_us"] > 0 for s in ("write", "enqueue", "left", "read"))
    costs = [
        f"{what}_us {how} events" for what in ("enqueue", "row") for how in ("with", "without")
    ]
    assert all(record["ceilings"][cost] > 0 for cost in ("launch_us", *costs))
    assert set(record["seconds"]) == {"cases", "ceilings", "networks float32", "latency", "load"}
    assert not (tmp_path / "cache" / "quarantine.json").exists()

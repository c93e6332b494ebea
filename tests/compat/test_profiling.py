"""Profiles and asynchronous runs of the stand-in have onnxruntime's form, so that what reads them works with either."""

from __future__ import annotations

import json
import queue
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as original
import pytest

import clconv.compat.onnxruntime as stand_in
from tests.compat.models import classifier, two_inputs
from tests.patience import HANG, holds_once

BYTES = classifier().SerializeToString()
CPU = ["CPUExecutionProvider"]
X = {"image": np.random.default_rng(0).random((2, 3, 8, 8), np.float32)}

PACKAGES = pytest.mark.parametrize("package", [stand_in, original], ids=["clconv", "onnxruntime"])


def profiled(
    package: Any, folder: Path, model: Any = BYTES, runs: int = 2
) -> tuple[str, list[Any]]:
    """The name of the file, and the events in it."""
    options = package.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "times")
    session = package.InferenceSession(model, options, providers=CPU)
    for _ in range(runs):
        session.run(None, X)
    name = session.end_profiling()
    return name, json.loads(Path(name).read_text(encoding="utf-8"))


@PACKAGES
def test_a_profile_has_onnxruntimes_form(package: Any, tmp_path: Path) -> None:
    name, events = profiled(package, tmp_path)
    # Milliseconds came with onnxruntime 1.24.
    millis = "(_\\d{3})?" if package is original else "_\\d{3}"
    form = rf"times_\d{{4}}-\d\d-\d\d_\d\d-\d\d-\d\d{millis}\.json"
    assert re.fullmatch(form, Path(name).name)
    assert all(e["ph"] == "X" and e["dur"] >= 0 and isinstance(e["ts"], int) for e in events)
    sessions = [e["name"] for e in events if e["cat"] == "Session"]
    assert sessions[:2] == ["model_loading_array", "session_initialization"]
    assert sessions[2:] == ["SequentialExecutor::Execute", "model_run"] * 2
    nodes = [e for e in events if e["cat"] == "Node"]
    assert all(e["name"].endswith("_kernel_time") for e in nodes)
    assert {"Conv", "Gemm"} <= {e["args"]["op_name"] for e in nodes}
    gemm = next(e["args"] for e in nodes if e["args"]["op_name"] == "Gemm")
    assert gemm["provider"].endswith("ExecutionProvider") and gemm["node_index"].isdecimal()
    assert gemm["output_type_shape"] == [{"float": [2, 10]}]
    assert int(gemm["output_size"]) == 80
    assert int(gemm["parameter_size"]) > 0 and int(gemm["activation_size"]) > 0
    assert {"float"} == {kind for one in gemm["input_type_shape"] for kind in one}


def test_nodes_are_inside_their_run(tmp_path: Path) -> None:
    def attempt() -> None:
        _, events = profiled(stand_in, tmp_path, runs=3)
        runs = [(e["ts"], e["ts"] + e["dur"]) for e in events if e["name"] == "model_run"]
        nodes = [e for e in events if e["cat"] == "Node"]
        assert len(nodes) % 3 == 0 and len({e["name"] for e in nodes}) == len(nodes) // 3
        for e in nodes:
            assert any(begin - 100 <= e["ts"] <= end for begin, end in runs)
        spent = sum(e["dur"] for e in nodes)
        assert spent <= sum(end - begin for begin, end in runs) + len(
            nodes
        )  # rounded to microseconds

    holds_once(attempt)


def test_a_file_is_told_from_bytes(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(BYTES)
    for package in (stand_in, original):
        _, events = profiled(package, tmp_path, str(path), runs=0)
        assert events[0]["name"] == "model_loading_uri"


def test_a_profiled_run_gives_the_same(tmp_path: Path) -> None:
    options = stand_in.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "times")
    found = stand_in.InferenceSession(BYTES, options).run(["scores", "scores"], X)
    expected = stand_in.InferenceSession(BYTES).run(["scores"], X)
    for result in found:
        np.testing.assert_array_equal(result, expected[0])


Told = tuple[list[np.ndarray], Any, str]


def waiting() -> tuple[queue.Queue[Told], Any]:
    told: queue.Queue[Told] = queue.Queue()
    return told, lambda results, data, error: told.put((results, data, error))


@PACKAGES
def test_run_async_tells_the_results(package: Any) -> None:
    session = package.InferenceSession(BYTES, providers=CPU)
    told, callback = waiting()
    mine = object()
    assert session.run_async(None, X, callback, mine) is None
    results, data, error = told.get(timeout=HANG)
    assert data is mine and error == ""
    np.testing.assert_allclose(results[0], session.run(None, X)[0], rtol=1e-4)


@PACKAGES
def test_run_async_tells_what_went_wrong(package: Any) -> None:
    session = package.InferenceSession(BYTES, providers=CPU)
    told, callback = waiting()
    session.run_async(["scores"], {"image": np.zeros((2, 3), np.float32)}, callback, "mine")
    results, data, error = told.get(timeout=HANG)
    assert (results, data) == ([], "mine") and "image" in error
    with pytest.raises(ValueError, match="missing"):
        session.run_async(None, {"nothing": X["image"]}, callback, None)


def test_many_at_once_each_get_their_own() -> None:
    session = stand_in.InferenceSession(two_inputs().SerializeToString())
    told, callback = waiting()
    for number in range(20):
        feeds = {n: np.full((2, 3), number, np.float32) for n in ("a", "b")}
        session.run_async(None, feeds, callback, number)
    for _ in range(20):
        results, number, error = told.get(timeout=HANG)
        assert error == ""
        feeds = {n: np.full((2, 3), number, np.float32) for n in ("a", "b")}
        for found, expected in zip(results, session.run(None, feeds), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_callback_that_waits_for_another_run_gets_it() -> None:
    session = stand_in.InferenceSession(BYTES)
    told, callback = waiting()

    def first(results: Any, data: Any, error: str) -> None:
        inner, then = waiting()
        session.run_async(None, X, then, None)
        callback(*inner.get(timeout=HANG))

    session.run_async(None, X, first, None)
    assert told.get(timeout=HANG)[2] == ""


def test_an_error_in_a_callback_is_shown_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: queue.Queue[Any] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", shown.put)
    session = stand_in.InferenceSession(BYTES)

    def wrong(results: Any, data: Any, error: str) -> None:
        raise KeyError("of the caller")

    session.run_async(None, X, wrong, None)
    assert shown.get(timeout=HANG).exc_type is KeyError
    told, callback = waiting()
    session.run_async(None, X, callback, None)
    assert told.get(timeout=HANG)[2] == ""


def test_sessions_of_several_threads_are_profiled_at_once(tmp_path: Path) -> None:
    found: list[tuple[str, list[Any]]] = []

    def profile(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(profiled(stand_in, folder, runs=5))

    threads = [threading.Thread(target=profile, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert len(found) == 4
    for _, events in found:
        begin, end = events[0]["ts"], max(e["ts"] + e["dur"] for e in events)
        nodes = [e for e in events if e["cat"] == "Node"]
        assert nodes and all(begin <= e["ts"] <= end + 100 for e in nodes)

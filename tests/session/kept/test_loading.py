"""Models that a program is about to load are made ready by threads of it, and compiled along by another process."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import ModelError
from clconv.frontend.onnx import export_onnx
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.loading import Loading
from clconv.runtime.opencl.helper import Helper, Job
from tests.session.kept.conftest import X, same

NARROW = np.full((1, 3, 5), -1, np.float32)
Shapes = list[tuple[Any, Mapping[str, Any]]]


@pytest.fixture
def never_compiled(tmp_path: Path) -> Path:
    alpha = float(np.random.default_rng().random())
    node = make_node("LeakyRelu", ("x",), ("y",), "leaky", alpha=alpha)
    spec = TensorSpec((1, 3, "width"))
    export_onnx(Graph("leaky", (node,), ("x",), ("y",), {"x": spec}), tmp_path / "leaky.onnx")
    return tmp_path / "leaky.onnx"


@pytest.fixture
def both(model: Path, of_any_width: Path) -> Shapes:
    return [(model, {"input": X.shape}), (of_any_width, {"x": NARROW.shape})]


def test_sessions_are_made_meanwhile(
    two_cores: DeviceInfo, model: Path, never_compiled: Path, planned: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Each for the first who loads its model so; whoever comes then finds what was kept."""
    other, positive = never_compiled, np.abs(NARROW)
    both: Shapes = [(model, {"input": X.shape}), (other, {"x": NARROW.shape})]
    jobs: list[Job] = []
    compiled = Helper.compile

    def compile_it(self: Helper, job: Job) -> None:
        jobs.append(job)
        compiled(self, job)

    monkeypatch.setattr(Helper, "compile", compile_it)
    with Loading(both, two_cores, here=model) as loading:
        loading.wait_until_busy()
        strict = clconv.load(model, two_cores, precision="strict")
        found = clconv.load(model, two_cores), clconv.load(other, two_cores)
        again = clconv.load(model, two_cores)
    assert len(jobs) == 1 and len(planned) == 3 and strict is not found[0] is not again
    assert same(found[0].run(X), again.run(X))
    assert np.array_equal(found[1].run(positive)["y"], positive)
    assert len(planned) == 3
    monkeypatch.setenv("CLCONV_CACHE_SIZE", "0")
    assert same(clconv.load(model, two_cores).run(X), again.run(X))


@pytest.mark.parametrize("fault", ["no process", "dead process"])
def test_all_is_compiled_here_without_another_process(
    fault: str, two_cores: DeviceInfo, both: Shapes, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> Any:
        if fault == "no process":
            raise OSError("no more processes")
        process = started(*arguments, **options)
        process.kill()
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    (model, _), (other, _) = both
    with Loading(both, two_cores, here=model):
        assert not clconv.load(other, two_cores).run(NARROW)["y"].any()
        assert clconv.load(model, two_cores).run(X)


def test_what_cannot_be_loaded_is_told_by_who_needs_it(
    two_cores: DeviceInfo, model: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with Loading([(broken, {}), (model, {"input": X.shape})], two_cores, here=broken):
        with pytest.raises(ModelError):
            clconv.load(broken, two_cores)
        assert clconv.load(model, two_cores).run(X)


def test_what_nobody_waits_for_is_given_up(two_cores: DeviceInfo, both: Shapes) -> None:
    (model, _), (other, _) = both
    with Loading(both, two_cores, here=model) as loading:
        pass
    assert all(one._process.poll() is not None for one in loading._helpers)
    assert not clconv.load(other, two_cores).run(NARROW)["y"].any()


def test_nothing_is_done_for_what_is_kept(
    two_cores: DeviceInfo, both: Shapes, planned: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clconv.precompile(dict(both), device=two_cores)
    done = len(planned)
    monkeypatch.setattr(subprocess, "Popen", None)
    with Loading(both, two_cores, here=both[0][0]) as loading:
        loading.wait_until_busy()
        assert clconv.load(both[0][0], two_cores).run(X)
    assert len(planned) == done

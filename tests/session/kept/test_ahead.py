"""Models that other processes compile ahead are there when this one loads them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clconv
from clconv.ahead import Precompiling
from clconv.device.info import DeviceInfo
from clconv.errors import ConfigError, InputError, ModelError
from clconv.runtime.opencl import open_device
from tests.session.kept.conftest import X, networks


def test_what_is_compiled_ahead_is_not_planned_again(
    device: DeviceInfo, model: Path, of_any_width: Path, cache: Path, planned: list[Any]
) -> None:
    """A session that was there before finds it, too."""
    early = clconv.load(of_any_width, device)
    with Precompiling({model: None, of_any_width: {"x": (1, 3, 5)}}, device) as processes:
        elsewhere = [processes.wait(path) for path in (model, of_any_width)]
        if not all(elsewhere):  # one core, or another driver than PoCL
            pytest.skip("no process is started here")
    if open_device(device).compiler.is_in_doubt():
        pytest.skip("plans are made anew where another process died, or the disk is full")
    assert len(networks(cache)) == 2
    x = np.full((1, 3, 5), -1, np.float32)
    assert not early.run(x)["y"].any() and clconv.load(model, device).run(X)
    assert not planned


def test_who_loads_it_meanwhile_waits_for_it(
    two_cores: DeviceInfo, model: Path, of_any_width: Path, planned: list[Any]
) -> None:
    """For a process, whether the session was there before or not."""
    early = clconv.load(of_any_width, two_cores)
    shapes = {model: None, of_any_width: {"x": (1, 3, 5)}}
    with Precompiling(shapes, two_cores):
        early.run({"x": np.zeros((1, 3, 5), np.float32)})
        clconv.load(of_any_width, two_cores).run({"x": np.zeros((1, 3, 5), np.float32)})
        clconv.load(model, two_cores).run(X)
    assert not planned


def test_processes_start_while_another_module_is_imported(
    two_cores: DeviceInfo, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV's folder is in front of all while it is imported, and has a `typing` of its own."""
    (tmp_path / "front").mkdir()
    (tmp_path / "front" / "typing.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(tmp_path / "front")
    with Precompiling([model], two_cores) as processes:
        assert processes.wait(model)


def test_all_is_kept_and_nothing_done_twice(
    device: DeviceInfo, model: Path, of_any_width: Path, cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    models = {model: None, of_any_width: [{"x": (1, 3, 5)}, {"x": (1, 3, 7)}]}
    clconv.precompile(models, device=device)
    assert len(networks(cache)) == 2
    monkeypatch.setattr(subprocess, "Popen", None)
    clconv.precompile(models, device=device)


def test_what_cannot_be_compiled_is_told(
    device: DeviceInfo, of_any_width: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", _no_process)
    with pytest.raises(InputError, match="say for which shapes: x"):
        clconv.precompile([of_any_width], device=device)
    with pytest.raises(InputError, match="takes float32"):
        clconv.precompile({of_any_width: {"x": (1, 4, 5)}}, device=device)
    with pytest.raises(ModelError, match=r"none\.onnx"):
        clconv.precompile([tmp_path / "none.onnx"], device=device)
    with pytest.raises(ConfigError, match="a file's path, not bytes"):
        clconv.precompile([b"model"], device=device)  # type: ignore[list-item]


def _no_process(*arguments: Any, **options: Any) -> None:
    raise OSError("no more processes")


@pytest.mark.parametrize("shapes", [5, "x=1x3x8x8"])
def test_shapes_and_paths_that_are_none(
    device: DeviceInfo, model: Path, tmp_path: Path, shapes: Any
) -> None:
    with pytest.raises(InputError, match="shapes are a mapping from input name to shape"):
        clconv.compile(model, tmp_path / "x.clconv", shapes=shapes, device=device)
    with pytest.raises(InputError, match="shapes are a mapping from input name to shape"):
        clconv.precompile({model: shapes}, device=device)
    with pytest.raises(ConfigError, match="paths of models, not int"):
        clconv.precompile(5, device=device)  # type: ignore[arg-type]

"""A model that is surely new has the compiler get ready before its file is read; any other not before it is known to be new."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.runtime.opencl.compiler import Compiler
from clconv.session import kept_plans
from clconv.session.kept_plans import is_new
from tests.session.kept.conftest import X, same

OPTIONS = PlanOptions()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a load does, in order."""
    found: list[str] = []

    def noted(what: str, function: Any) -> Any:
        return lambda *arguments, **named: found.append(what) or function(*arguments, **named)

    monkeypatch.setattr(Compiler, "get_ready", noted("get ready", Compiler.get_ready))
    monkeypatch.setattr(kept_plans, "facts_of", noted("read", kept_plans.facts_of))
    return found


def test_a_new_one(device: DeviceInfo, model: Path, begun: list[str]) -> None:
    clconv.load(model, device)
    assert begun[:2] == ["get ready", "read"]


def test_one_whose_times_changed(
    device: DeviceInfo, model: Path, begun: list[str], planned: list[Any]
) -> None:
    expected, before = clconv.load(model, device).run(X), len(planned)
    os.utime(model, (1e9, 1e9))
    begun.clear()
    assert same(clconv.load(model, device).run(X), expected)
    assert begun == ["read"] and len(planned) == before


def test_another_of_the_same_size(device: DeviceInfo, model: Path, begun: list[str]) -> None:
    clconv.load(model, device)
    other = model.with_name("other.onnx")
    content = model.read_bytes()
    other.write_bytes(content.replace(b"input", b"inpud"))
    assert other.stat().st_size == model.stat().st_size and other.read_bytes() != content
    begun.clear()
    clconv.load(other, device)
    assert begun[:2] == ["read", "get ready"]


def test_what_is_not_kept_is_not_read(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_new(model.read_bytes(), OPTIONS) and not is_new(tmp_path, OPTIONS)
    assert not is_new(tmp_path / "nothing.onnx", OPTIONS)
    monkeypatch.setenv("CLCONV_CACHE_SIZE", "0")
    assert not is_new(model, OPTIONS)
    monkeypatch.delenv("CLCONV_CACHE_SIZE")
    assert is_new(model, OPTIONS)

"""What is said where PyTorch or its exporter is missing, and that nothing needs them before."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import clconv
from clconv.bridges.torch_compile import backend
from clconv.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent.parent


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ConfigError, match=r"PyTorch is not installed: pip install 'clconv\[torch\]'"
    ):
        clconv.from_torch(None, None)


def test_without_its_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("torch") is None:
        monkeypatch.setitem(sys.modules, "torch", sys)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match="needs onnxscript, which is not installed: pip install"):
        clconv.from_torch(None, None)
    with pytest.raises(ConfigError, match="needs onnxscript"):
        backend(None, [])


def test_importing_the_bridge_loads_no_framework() -> None:
    code = (
        "import sys, clconv, clconv.bridges.torch_compile; clconv.from_torch; "
        "sys.exit('torch' in sys.modules or 'onnxscript' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_pytorch_finds_the_backend_by_its_entry_point() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("[project.entry-points.torch_dynamo_backends]\n")[2]
    name, _, target = section.partition("\n")[0].partition(" = ")
    module, _, function = target.strip('"').partition(":")
    assert name == "clconv"
    assert getattr(importlib.import_module(module), function) is backend

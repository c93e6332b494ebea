"""docs/python.md: its Python runs from top to bottom, and does what its comments say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import clconv
from clconv.bridges import torch_compile

PAGE = Path(__file__).resolve().parent.parent / "docs/python.md"


def blocks(of_torch: bool) -> str:
    text = PAGE.read_text(encoding="utf-8")
    before, _, behind = text.partition("\n## PyTorch\n")
    assert behind
    return "\n".join(re.findall(r"```python\n(.*?)```", behind if of_torch else before, re.S))


def test_the_pages_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("safetensors")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(blocks(of_torch=False), names)
    printed = capsys.readouterr().out
    assert "float32: x float32[1x3x32x32] -> scores float32[1x10]>" in printed
    assert "{'first': (1, 16, 32, 32), 'relu_1': (1, 16, 32, 32)}" in printed
    assert "['relu_1', 'scores']" in printed
    assert "['0.weight', '0.bias', '1.weight'" in printed and "'head.bias']" in printed
    assert "for a batch of 1, which is open" in printed
    assert np.array_equal(names["scores"], names["outputs"]["scores"])
    assert names["tuned"].parameters["head.bias"].tolist() == [0] * 10


@pytest.mark.slow
@pytest.mark.parametrize("installed", [False, True])
def test_the_pages_pytorch_runs(
    installed: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the backend itself; with `installed` by its name, which PyTorch knows where clconv was installed with it."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    if installed and "clconv" not in torch._dynamo.list_backends():
        pytest.skip("clconv was installed without the entry point")
    code = blocks(of_torch=True)
    if not installed:
        code = code.replace('backend="clconv"', "backend=backend")
    exec(code, {"clconv": clconv, "backend": torch_compile.backend})
    assert capsys.readouterr().out.splitlines() == ["(5, 10)", "torch.Size([2, 10])"]


def test_the_extra_for_pytorch_exists() -> None:
    assert importlib.util.find_spec("clconv.bridges")
    text = (PAGE.parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^torch = \["torch>=.*", "onnxscript', text, re.M)

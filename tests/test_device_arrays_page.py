"""The page on arrays that stay on the device: its blocks run, and print what it says."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "device-arrays.md"


def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S))
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some compilers log successful builds
        exec(code, names)
    printed = capsys.readouterr().out.splitlines()
    promised = [line.split("#")[1].strip() for line in code.splitlines() if "print(" in line]
    assert printed == promised

"""What the pages say is so: links, variables, commands, the README's Python."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from clconv.cli.app import app
from clconv.config import SETTINGS
from tests.conformance.onnx_cases import all_cases
from tests.conformance.outcome import read_list
from tests.tools.settings_table import PAGE, with_table

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = r"(?:github\.com/clconv/clconv/blob|raw\.githubusercontent\.com/clconv/clconv)/main/"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    # The README is a package's page, too: its links name the repository.
    for target in re.findall(rf"{REPOSITORY}([^)#]+)", text):
        assert (ROOT / target).exists(), target
    for name in re.findall(r"`((?:clconv|tests|kernels|docs)/[\w./]+)`", text):
        if "foo" not in name and name != "clconv/kernels":
            assert (ROOT / name).exists(), name


def test_the_table_of_variables_is_todays() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run python -m tests.tools.settings_table"
    assert all(setting.name in page for setting in SETTINGS)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_variables_named_anywhere_exist(page: Path) -> None:
    named = set(re.findall(r"\bCLCONV_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
    assert named <= {setting.name for setting in SETTINGS}


def test_commands_and_their_options_exist() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    lines = re.findall(r"^(?:CLCONV_\S+ )?clconv (.+?)(?:\s+#.*)?$", shell, re.M)
    assert len(lines) >= 8
    for line in lines:
        command, *words = line.split()
        shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, line
        for option in (w for w in words if w.startswith("-")):
            assert re.search(rf"(?<!\S){option}(?![\w-])", shown.stdout), f"{line}: {option}"


def test_the_readmes_python_parses_and_starts_with_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        ast.parse(block)
    first, *_ = re.findall(r"```sh\n(.*?)```", text, re.S)
    demo, test = first.strip().splitlines()
    assert "pip install '.[pocl,demo]'" in demo and demo.endswith("clconv demo")
    assert "pip install -e '.[test]'" in test and test.endswith("pytest -n 2")


def test_the_readmes_network_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = next(b for b in re.findall(r"```python\n(.*?)```", text, re.S) if "Sequential(" in b)
    names: dict[str, Any] = {}
    exec("import clconv\n" + block, names)
    session = names["session"]
    ((name, spec),) = session.inputs.items()
    (output,) = session.run({name: np.ones(tuple(spec.shape), np.float32)}).values()
    assert output.shape == (1, 10)


def test_the_readmes_counts_of_onnx_cases_are_todays() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    refused, all_of_them = re.findall(r"(\d+) of ONNX's (\d+) own cases", text)[0]
    assert int(refused) == len(read_list())
    assert len(all_cases()) >= int(all_of_them)  # newer onnx packages bring more

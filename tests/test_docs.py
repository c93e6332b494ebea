"""What the pages say is so: links, paths, names, variables, commands, the README's Python."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import json
import re
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from clconv.cli.app import app
from clconv.config import SETTINGS
from clconv.runtime.device import what_to_install
from tests.compat.clients import CLIENTS
from tests.conformance.onnx_cases import all_cases
from tests.conformance.outcome import read_list
from tests.tools.settings_table import PAGE, with_table

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = r"(?:github\.com/clconv/clconv/blob|raw\.githubusercontent\.com/clconv/clconv)/main/"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
RESULTS = sorted([*(ROOT / "benchmarks/results").glob("*.md"), ROOT / "examples/README.md"])


@pytest.mark.parametrize("page", [*PAGES, *RESULTS], ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / target).exists(), target
    # The README is a package's page, too: its links name the repository.
    for target in re.findall(rf"{REPOSITORY}([^)#]+)", text):
        assert (ROOT / target).exists(), target


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *RESULTS], ids=lambda p: p.name)
def test_links_lead_to_headings(page: Path) -> None:
    text = re.sub(rf"https://{REPOSITORY}", f"{ROOT}/", page.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


def test_the_list_of_pages_has_all() -> None:
    text = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {p.name for kind in ("md", "ipynb") for p in (ROOT / "docs").glob(f"*.{kind}")}
    assert set(re.findall(r"\]\((\w[\w-]*\.\w+)\)", text)) == pages - {"README.md"}


def test_the_table_of_test_folders_has_all() -> None:
    text = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
    named = re.findall(r"`tests/(\w+)`", text.partition("## What is where")[2].partition("## ")[0])
    folders = {
        path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/**/*.py")
    }
    assert sorted(set(named)) == sorted(folders)


def files_and_folders() -> frozenset[str]:
    """Paths from the root, each with a slash before it."""
    tops = [path for path in ROOT.iterdir() if path.name not in (".git", ".venv", "build", "dist")]
    found = [*tops, *(path for top in tops if top.is_dir() for path in top.rglob("*"))]
    return frozenset(f"/{path.relative_to(ROOT).as_posix()}" for path in found)


FILES = files_and_folders()
# What clconv, PoCL and MkDocs write, and what is elsewhere in an installed package.
NOT_IN_A_CHECKOUT = {
    "clconv-doctor.md",
    "quarantine.json",
    "tuned.json",
    "pocl/kcache",
    "clconv/kernels",
    "build/site/index.html",
}
PATH = r"`((?:[\w.-]+/)*[\w.-]+(?:\.(?:py|md|mako|json|txt|toml|yml)|/)|(?:[\w.-]+/)+[\w.-]+)`"


def named_paths(text: str) -> set[str]:
    """What stands between backquotes and looks like a path, without placeholders such as FAMILY/foo.py."""
    words = set(re.findall(PATH, text)) - NOT_IN_A_CHECKOUT
    return {w.rstrip("/") for w in words if not re.search(r"foo|FAMILY|FOLDER", w)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_named_paths_exist(page: Path) -> None:
    """From the root, or in the package or folder that the sentence is about."""
    for name in named_paths(page.read_text(encoding="utf-8")):
        assert any(file.endswith(f"/{name}") for file in FILES), name


@pytest.mark.parametrize("page", RESULTS, ids=lambda p: p.name)
def test_what_results_name_from_the_root_exists(page: Path) -> None:
    """Other paths in them may be of a commit before."""
    text = page.read_text(encoding="utf-8")
    tops = "benchmarks|clconv|docs|examples|kernels|tests"
    for name in re.findall(rf"`((?:{tops})/[\w.-]+(?:/[\w.-]+)*)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"python -m ((?:clconv|tests|benchmarks)[\w.]*)", text):
        assert importlib.util.find_spec(name) is not None, name


def test_a_path_that_does_not_exist_is_found() -> None:
    text = "See `graph/ir.py`, `kernels/`, `clconv/nothing.py`, `graph/nowhere/`, and `a * b`."
    found = {n for n in named_paths(text) if not any(f.endswith(f"/{n}") for f in FILES)}
    assert found == {"clconv/nothing.py", "graph/nowhere"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_named_modules_and_names_in_them_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`(clconv(?:\.\w+)+)(?:\(\))?`", text):
        assert exists(name), name
    for name in re.findall(r"python -m ((?:clconv|tests|benchmarks)[\w.]*)", text):
        assert importlib.util.find_spec(name) is not None, name


def exists(name: str) -> bool:
    """Whether a dotted name leads to a module, or to something in one."""
    with contextlib.suppress(ModuleNotFoundError):
        if importlib.util.find_spec(name) is not None:
            return True
    module, _, last = name.rpartition(".")
    return hasattr(importlib.import_module(module), last)


def test_the_packages_of_the_architecture_have_what_to_read_first() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Packages")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| .* \| (`.*)? ?\|$", table, re.M)
    assert len(rows) >= 15
    for names, first in rows:
        packages = re.findall(r"`([\w/.]+)`", names)
        assert all((ROOT / "clconv" / name).exists() for name in packages), names
        for file in re.findall(r"`([\w/.]+)`", first):
            assert any((ROOT / "clconv" / name / file).exists() for name in packages), file


def test_the_types_of_the_architecture_are_where_it_says() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Types")[2].partition("## ")[0]
    rows = re.findall(r"^\| (`.*?) \| (`.*?) \|", table, re.M)
    assert len(rows) >= 10
    for names, places in rows:
        first, *others = re.findall(r"`([\w/.]+)`", places)
        paths = [first, *(o if "/" in o else f"{first.rpartition('/')[0]}/{o}" for o in others)]
        source = "\n".join((ROOT / "clconv" / p).read_text(encoding="utf-8") for p in paths)
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^(?:class )?{name}\b", source, re.M), f"{name} in {paths}"


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
    lines += re.findall(r"`(?:CLCONV_\S+ )?clconv ([a-z][^`]*)`", text)
    assert len(lines) >= 20
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


@pytest.mark.parametrize("page", ["README.md", "docs/install.md"])
def test_what_to_install_is_what_the_error_says(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for system, machine in (
        ("linux", "x86_64"),
        ("linux", "aarch64"),
        ("win32", ""),
        ("darwin", ""),
    ):
        said = what_to_install(system, machine)
        commands = re.findall(r"((?:pip|apt-get) install .+)$", said)
        assert all(f"`{command}`" in text for command in commands), said
        for words in ("Intel's CPU Runtime for OpenCL", "pyopencl from PyPI finds"):
            assert words not in said or words in text
    assert what_to_install("darwin").rpartition(": ")[2] in text or page == "README.md"


def test_the_readme_counts_the_tested_packages() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = (ROOT / "docs/clients.md").read_text(encoding="utf-8").partition("## Tested")[2]
    rows = re.findall(r"^\| `([\w-]+)` \|", table, re.M)
    assert len(rows) == len(CLIENTS) + 1  # rapidocr has a test of its own
    assert "fourteen are tested" in text and len(rows) == 14


def test_the_readmes_speed_is_that_of_the_results() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for row, peer in (("onnxruntime", "onnxruntime"), ("OpenVINO", "openvino")):
        means = []
        for batch in (1, 16):
            name = f"benchmarks/results/models_epyc_2cores_batch{batch}.json"
            results = json.loads((ROOT / name).read_text(encoding="utf-8"))["results"]
            assert len(results) == 10
            ratios = [r["engines"][peer]["clconv_ratio"] for r in results]
            means.append(f"{statistics.geometric_mean(ratios):.2f}")
        assert f"| {row} | {means[0]} | {means[1]} |" in text


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

"""`python -m clconv.compat.onnxruntime`: scripts, modules and packages' commands, and bad use of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from clconv.compat.onnxruntime.__main__ import main
from tests.compat.models import classifier

PROGRAM = """
import sys
import numpy as np
import onnxruntime
from onnxruntime import InferenceSession

def main():
    session = InferenceSession(sys.argv[1])
    (scores,) = session.run(None, {"image": np.ones((2, 3, 8, 8), np.float32)})
    print(onnxruntime.__file__, scores.shape, sys.argv)
    return 7

if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A script that is also a module, a package with a __main__, and one that only has a command."""
    onnx.save(classifier(), tmp_path / "small.onnx")
    (tmp_path / "program.py").write_text(PROGRAM)
    for package in ("runs", "commands"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("import onnxruntime\n")
    (tmp_path / "runs/__main__.py").write_text(PROGRAM)
    (tmp_path / "commands/tool.py").write_text(PROGRAM)
    metadata = tmp_path / "commands-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: commands\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[console_scripts]\ncommands=commands.tool:main\n")
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clconv.compat.onnxruntime", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ["program.py"],
        pytest.param(["-m", "program"], marks=pytest.mark.slow),
        ["-m", "runs"],
        ["-m", "commands"],
    ],
    ids=" ".join,
)
def test_a_program_runs_on_clconv(folder: Path, words: list[str]) -> None:
    done = run(folder, *words, "small.onnx", "--its", "own")
    assert done.returncode == 7, done.stderr
    assert "compat/onnxruntime" in done.stdout.replace("\\", "/")
    assert "(2, 10)" in done.stdout
    assert done.stdout.strip().endswith("'small.onnx', '--its', 'own']")


def test_a_script_finds_what_lies_beside_it(folder: Path) -> None:
    (folder / "scripts").mkdir()
    (folder / "scripts/beside.py").write_text("FOUND = 'beside'\n")
    (folder / "scripts/start.py").write_text("import beside\nprint(beside.FOUND, __name__)\n")
    done = run(folder, "scripts/start.py")
    assert done.stdout == "beside __main__\n", done.stderr


def test_what_a_package_lacks_is_named(folder: Path) -> None:
    (folder / "runs/__init__.py").write_text("import not_installed_anywhere\n")
    done = run(folder, "-m", "runs")
    assert done.returncode == 1 and "not_installed_anywhere" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "usage:"),
        (["-m"], "usage:"),
        (["--fast"], "there is no option --fast"),
        (["nothing.py"], "there is no file nothing.py"),
        (["-m", "no_such_package"], "there is no module no_such_package"),
        (["-m", "no_such_package.inside"], "there is no module no_such_package.inside"),
        (["-m", ".x"], "there is no module .x"),
        (["-m", "tests.compat"], "there is no module tests.compat"),
    ],
    ids=str,
)
def test_bad_use_is_one_line(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", sys)  # put back what it was
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    assert main(words) == 2
    shown = capsys.readouterr()
    assert said in shown.err and not shown.out
    assert len(shown.err.splitlines()) == 1 or words in ([], ["-m"])


def test_help_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "-m MODULE" in capsys.readouterr().out

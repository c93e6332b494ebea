"""Each example as a user runs it: what it prints, its picture, and how much processor time it takes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import data
import pytest

ROOT = Path(__file__).resolve().parents[2]
# What an example needs besides clconv, and what it must have found: a pattern and the least number in it, for each line.
EXAMPLES = {
    "perceptron": ("mnist_5k.npz", [(r" (0)\]$", 0), (r"to the bit: True()", 0)]),
    "adaline": (
        "",
        [(r"never all right in (\d+) rounds", 1), (r"all four right after (\d+) rounds", 1)],
    ),
    "mlp": ("mnist_5k.npz", [(r"symmetry: ([\d.]+)% right", 100), (r"digits: ([\d.]+)% of", 95)]),
    "deep_belief": ("mnist_5k.npz", []),
    "acoustic": (
        "spoken_digits.zip",
        [(r"([\d.]+)% of \d+ other takes", 95), (r"([\d.]+)% of \d+ by a speaker who", 50)],
    ),
    "convnet": (
        "cifar10_small.zip",
        [(r"conv2d_1: (760) parameters", 760), (r"([\d.]+)% of the pictures held back", 40)],
    ),
    "alexnet": (
        "cifar10_small.zip",
        [(r"AlexNet: (60,965,224) parameters", 60e6), (r"([\d.]+)% of the pictures held", 40)],
    ),
    "neurons": ("mobilenetv2_imagenet.onnx", [(r"flamingo: \S+ -> ([\d.]+)", 20)]),
}


CPU_SECONDS = 240  # two minutes on two cores


def printed(example: str, picture: Path) -> str:
    command = [sys.executable, f"examples/{example}.py", "--picture", str(picture)]
    before = os.times()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=550)
    assert done.returncode == 0, done.stderr[-2000:]
    after = os.times()
    spent = sum(after[2:4]) - sum(before[2:4])  # of processes that ended
    assert spent < CPU_SECONDS
    print(f"{example}: {spent:.1f} s of processor time")
    assert picture.stat().st_size > 1000 and str(picture) in done.stdout
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_shows_what_it_must(example: str, tmp_path: Path) -> None:
    needed, found = EXAMPLES[example]
    if needed and not data.file_of(needed):
        pytest.skip(f"{needed} is neither in CLCONV_DATA nor beside this checkout")
    text = printed(example, tmp_path / "picture.png")
    for pattern, least in found:
        match = re.search(pattern, text, re.MULTILINE)
        assert match, f"{pattern} is not in\n{text}"
        assert float(match[1].replace(",", "") or 0) >= least, text
    if example == "deep_belief":
        with_it, without, longer = (
            float(re.search(pattern, text)[1])  # type: ignore[index]
            for pattern in (
                r"([\d.]+) after 10 epochs", r"([\d.]+) after as many\n", r"took: ([\d.]+)",
            )
        )  # fmt: skip
        assert with_it < 0.6 * without and with_it < longer


def test_every_example_is_run() -> None:
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert scripts - {"data", "folder"} == EXAMPLES.keys()  # folder: tests/predictor


def test_absent_data_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_FOLDERS", ())
    for load, name in ((lambda: data.cifar("train"), "cifar10"), (data.spoken_digits, "spoken")):
        with pytest.raises(SystemExit, match=f"{name}.*set CLCONV_DATA to the folder"):
            load()

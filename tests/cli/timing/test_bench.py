"""`clconv bench` on a small network, by batch and against onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Clconv

SHORT = ("--rounds", 2, "--seconds", 0.002)


def rows(text: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(text)["results"]
    return found


def test_it_prints_a_row_for_each_batch_and_engine(clconv: Clconv, models: Path) -> None:
    pytest.importorskip("onnxruntime")
    text = clconv.works(
        "bench", models / "classifier.onnx", "--batch", 1, 4,
        "--against", "onnxruntime", *SHORT,
    )  # fmt: skip
    for word in ("median ms", "90 % ms", "99 % ms", "a second", "clconv /", "onnxruntime "):
        assert word in text, word
    assert "outputs differ by at most " in text


@pytest.mark.parametrize(
    "typed",
    [
        ("--batch", 1, 2, 3),
        ("--batch", "1,2,3"),
        ("--batch", 3, "--batch", "2,1"),
        ("--batch", 2, 3, 1, 2),
    ],
)
def test_batches_are_numbers_behind_the_option(
    typed: tuple[object, ...], clconv: Clconv, models: Path
) -> None:
    model = models / "classifier.onnx"
    for arguments in ((model, *typed), (*typed, model)):
        found = rows(clconv.works("bench", *arguments, *SHORT, "--json"))
        assert [row["batch"] for row in found] == [1, 2, 3]
        assert [row["shapes"] for row in found] == [{"image": [b, 3, 8, 8]} for b in (1, 2, 3)]


def test_the_figures_mean_what_they_say(clconv: Clconv, models: Path) -> None:
    (row,) = rows(clconv.works("bench", models / "classifier.onnx", *SHORT, "--json"))
    times = [row[f"{name}_seconds"] for name in ("least", "median", "p90", "p99")]
    assert times == sorted(times) and times[0] > 0  # type: ignore[type-var]
    assert row["clconv_ratio"] == 1
    assert row["runs"] >= 4 and row["difference"] == 0 and row["engine"].startswith("clconv ")  # type: ignore[operator, attr-defined]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--against tensorflow", "only onnxruntime"),
        ("--against onnxruntime --against nonsense", "nonsense"),
        ("--rounds 0", "--rounds"),
        ("--seconds nan", "--seconds"),
        ("--batch 0", "--batch"),
        ("--batch x", "--batch"),
        ("--batch 1 2.5", "name one model"),
        ("--batch 1,-2", "--batch"),
        ("--batch 1 99999999999", "--batch"),
        ("other.onnx", "name one model"),
    ],
)
def test_bad_uses(typed: str, said: str, clconv: Clconv, models: Path) -> None:
    clconv.fails("bench", models / "classifier.onnx", *typed.split(), saying=said)


def test_a_fixed_batch_is_told(clconv: Clconv, models: Path) -> None:
    sized = (models / "brightener.onnx", "--size", "8x8")
    clconv.fails("bench", *sized, "--batch", 2, saying="batch is fixed")
    both = ("--batch", 2, "--shape", "image=1x3x8x8")
    clconv.fails("bench", models / "classifier.onnx", *both, saying="both say the batch")

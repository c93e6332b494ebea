"""Every table in 80 and 120 columns, in a pipe, and as a document."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clconv.cli.app import app
from clconv.runtime.device import devices
from tests.cli.conftest import Clconv

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BOXES = re.compile("[│┃━─┏┓┗┛┡┩└┘╇┴┬]")


def on_a_terminal(width: int, *arguments: object) -> list[str]:
    """Lines of stdout as a terminal of so many columns gets them."""
    shown = CliRunner(env={"FORCE_COLOR": "1", "COLUMNS": str(width)}).invoke(
        app, [str(a) for a in arguments]
    )
    assert shown.exit_code == 0, shown.output
    return _COLOURS.sub("", shown.stdout).splitlines()


def commands(models: Path) -> list[tuple[str, ...]]:
    model = str(models / "classifier.onnx")
    return [
        ("devices",),
        ("show", model),
        ("show", model, "--fused"),
        ("show", model, "--plan"),
        ("show", str(models / "brightener.onnx")),
        ("check", model),
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit(models: Path, width: int) -> None:
    for command in commands(models):
        lines = on_a_terminal(width, *command)
        # Sentences are wrapped by the terminal itself.
        tables = [line for line in lines if " on " not in line and "; " not in line]
        assert max(map(len, tables)) <= width, command
        assert any("─" in line for line in lines) or command[0] == "devices" or "--plan" in command


@pytest.mark.parametrize("width", [80, 120])
def test_a_real_network_fits(width: int) -> None:
    model = Path(__file__).parents[3] / "shared" / "models" / "mobilenetv2_imagenet.onnx"
    if not model.exists():
        pytest.skip("shared/models is not here")
    lines = on_a_terminal(width, "show", model)
    rows = [line for line in lines if re.search(r"\d+x\d+x\d+ ", line)]
    assert len(rows) == 97 and max(map(len, lines)) <= width
    names = [row.split()[0] for row in rows]
    assert len(set(names)) > 0.95 * len(names)  # cut, and still different
    assert "10.8 M" in rows[0] or "10,838,016" in rows[0]
    assert not any("…" in word for row in rows for word in row.split()[2:])  # no number is cut


def test_pipes_get_no_boxes_and_no_colours(clconv: Clconv, models: Path) -> None:
    for command in commands(models):
        printed = clconv.works(*command)
        assert not _BOXES.search(printed) and "\x1b" not in printed and "…" not in printed, command


def test_documents_have_stable_keys(clconv: Clconv, models: Path) -> None:
    model = models / "classifier.onnx"
    shown = json.loads(clconv.works("show", model, "--json"))
    assert list(shown) == [
        "model", "inputs", "layers", "parameters", "multiply_adds", "at", "outputs",
    ]  # fmt: skip
    assert shown["inputs"]["image"] == {"dtype": "float32", "shape": ["N", 3, 8, 8]}
    assert shown["at"] == {"N": 1} and shown["parameters"] == 200
    first = shown["layers"][0]
    assert first == {
        "layer": "first", "operator": "Conv", "volume": [5, 8, 8], "filters": 5, "groups": 1, "window": [3, 3],
        "stride": [1, 1], "padding": [1, 1, 1, 1], "padding_mode": "constant", "parameters": 140,
        "multiply_adds": 8640,
    }  # fmt: skip
    planned = json.loads(clconv.works("show", model, "--plan", "--json"))
    assert {"device", "kernels", "launches", "bytes", "live_bytes"} <= planned.keys()
    assert {"layer", "variant", "chosen_by", "writes", "work_items"} <= planned["layers"][0].keys()
    checked = json.loads(clconv.works("check", model, "--json"))
    assert checked["different"] == 0 and checked["compared"] == len(checked["layers"])
    assert not any(row["differs"] for row in checked["layers"])
    assert "layers" not in json.loads(clconv.works("check", model, "--json", "-q"))
    assert [d["name"] for d in json.loads(clconv.works("devices", "--json"))] == [
        d.name for d in devices()
    ]


def test_devices_say_what_their_quirks_mean(clconv: Clconv) -> None:
    printed = clconv.works("devices")
    for record in json.loads(clconv.works("devices", "--json")):
        assert set(record["quirk_meanings"]) == set(record["quirks"])
        assert all(f"{name}: {said}" in printed for name, said in record["quirk_meanings"].items())


@pytest.mark.parametrize(
    "command", ["devices", "run", "train", "show", "check", "doctor", "tune", "demo"]
)
def test_help_of_every_command(clconv: Clconv, command: str) -> None:
    assert clconv.works(command, "-h") == clconv.works(command, "--help")


def test_completion_can_be_shown(clconv: Clconv) -> None:
    assert "--show-completion" in clconv.works("-h")

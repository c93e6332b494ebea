"""`clconv compile`, and the other commands on what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clconv.cli.compile import sets_of_shapes
from clconv.errors import ConfigError
from clconv.graph.ir import TensorSpec
from tests.cli.conftest import Clconv


@pytest.fixture
def model(models: Path, tmp_path: Path) -> Path:
    path = tmp_path / "two.onnx"
    path.write_bytes((models / "two.onnx").read_bytes())
    return path


def test_writes_a_file_that_the_other_commands_take(clconv: Clconv, model: Path) -> None:
    first, second = (np.ones(spec, np.float32) for spec in _shapes(clconv, model))
    np.save(model.with_name("a.npy"), first)
    np.save(model.with_name("b.npy"), second)
    feeds = ["-i", f"a={model.with_name('a.npy')}", "-i", f"b={model.with_name('b.npy')}"]
    found = json.loads(clconv.works("compile", model, "--json"))
    compiled = Path(found["file"])
    assert compiled == model.with_suffix(".clconv") and compiled.stat().st_size == found["bytes"]
    assert clconv.works("run", compiled, *feeds) == clconv.works("run", model, *feeds)
    assert clconv.works("show", compiled) == clconv.works("show", model)
    clconv.works("check", compiled, "--quiet")


def _shapes(clconv: Clconv, model: Path) -> list[tuple[int, ...]]:
    from clconv.api import read_model

    return [spec.shape for spec in read_model(model).input_specs().values()]


def test_says_what_is_wrong_before_it_works(clconv: Clconv, model: Path, tmp_path: Path) -> None:
    clconv.fails("compile", tmp_path / "none.onnx", saying="none.onnx")
    clconv.fails("compile", tmp_path, saying="is a folder")
    clconv.fails("compile", model, "-o", tmp_path / "x.onnx", saying="end the name with .clconv")
    clconv.fails(
        "compile", model, "-o", tmp_path / "none" / "x.clconv", saying="there is no folder"
    )
    clconv.fails("compile", model, "-d", "voodoo", saying="voodoo")
    clconv.fails("compile", model, "--precision", "float8", saying="float16")
    clconv.fails("compile", model, "--shape", "c=1x2", saying="there is no input 'c'")
    clconv.fails("compile", model, "--shape", "1x2", saying="which input is it for?")
    assert not list(tmp_path.glob("*.clconv"))


def test_a_damaged_file_is_one_line(clconv: Clconv, model: Path) -> None:
    clconv.works("compile", model)
    compiled = model.with_suffix(".clconv")
    compiled.write_bytes(compiled.read_bytes()[:-9])
    clconv.fails(
        "show", compiled, saying="is cut off; copy it again, or make it anew with `clconv compile`"
    )


def test_shapes_that_are_given_again_are_more_sets() -> None:
    specs = {"x": TensorSpec((None, 3)), "y": TensorSpec((2,))}
    assert sets_of_shapes(specs, ["x=1x3", "x=4x3"]) == [
        {"x": (1, 3), "y": (2,)},
        {"x": (4, 3), "y": (2,)},
    ]
    with pytest.raises(ConfigError, match="its size is open: say --shape x="):
        sets_of_shapes(specs, [])
    with pytest.raises(ConfigError, match="input 'x' is"):
        sets_of_shapes(specs, ["x=1x4"])

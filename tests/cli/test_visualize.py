"""`clconv visualize`: every view as a picture file, and bad uses that end before any work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from clconv.cli.progress import Status
from tests.cli.conftest import Clconv

pytest.importorskip("matplotlib")


def model(path: Path) -> Path:
    """Eight by eight RGB pictures, a convolution, a mean over places, 3 classes."""
    rng = np.random.default_rng(0)
    shapes = {"w": (4, 3, 3, 3), "d": (4, 3)}
    weights = [
        onnx.numpy_helper.from_array(rng.standard_normal(s).astype(np.float32), n)
        for n, s in shapes.items()
    ]
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["c"], name="conv/../$x$", pads=[1] * 4),
        onnx.helper.make_node("Relu", ["c"], ["r"], name="relu"),
        onnx.helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        onnx.helper.make_node("Flatten", ["g"], ["f"]),
        onnx.helper.make_node("MatMul", ["f", "d"], ["y"]),
    ]
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes, "small", [onnx.helper.make_tensor_value_info("x", kind, (1, 3, 8, 8))],
        [onnx.helper.make_tensor_value_info("y", kind, (1, 3))], weights,
    )  # fmt: skip
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (9, 10, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "notes.txt").write_text("no picture")
    return model(tmp_path / "small.onnx"), folder


def test_every_view_is_a_picture_in_the_folder(files: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = Clconv().works("visualize", *files, "-o", out, "--maximize", "conv/../$x$:1")
    names = {path.name for path in out.iterdir()}
    stems = ("filters", "features_conv_.._x_", "patches_conv_.._x_", "occlusion", "saliency", "cam")
    assert names == {f"{stem}.png" for stem in (*stems, "maximize_conv_.._x_1")}
    assert said.count("saved ") == len(names)
    for path in out.iterdir():
        with Image.open(path) as picture:
            assert min(picture.size) > 100


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--views", "dreams"), "dreams"),
        (("--views", ","), "--views ,: there are filters"),
        (("--maximize", "conv"), "LAYER:CHANNEL"),
        (("--maximize", "no:1"), "no layer 'no'"),
        (("--layer", "no"), "no layer 'no'"),
        (("--layer", "rleu"), "no layer 'rleu'; did you mean 'relu'?"),
        (("--class", "3"), "--class 3: layer 'y' has 3 channels, not 3: they count from 0"),
        (("--maximize", "relu:9"), "4 channels, not 9"),
        (("-o", "no/such"), "no folder"),
        (("--size", "8x8"), "--size"),
    ],
)
def test_bad_uses(
    files: tuple[Path, Path], tmp_path: Path, more: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "out"
    Clconv().fails("visualize", *files, *(() if "-o" in more else ("-o", out)), *more, saying=said)
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_told_before_the_work(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "out"))

    monkeypatch.setattr(Path, "mkdir", refuse)
    result = Clconv()("visualize", *files, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr == (
        f"clconv: error: --output {tmp_path / 'out'}: cannot be made: Permission denied\n"
    )


def test_where_there_is_no_terminal_it_says_what_it_does(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    begin, count = Status.__init__, Status.count

    def begun(self: Status, bar: Any, first: str) -> None:
        said.append(first)
        begin(self, bar, first)

    def counted(self: Status, what: str, done: int, total: int) -> None:
        said.append(f"{what} {total}")
        count(self, what, done, total)

    monkeypatch.setattr(Status, "__init__", begun)
    monkeypatch.setattr(Status, "count", counted)
    views = ("--views", "filters,occlusion", "--maximize", "relu:1")
    Clconv().works("visualize", *files, "-o", tmp_path / "out", *views)
    assert list(dict.fromkeys(said)) == [
        "drawing filters", "drawing occlusion", "covering squares 64", "maximising relu",
        "maximising relu 128",
    ]  # fmt: skip


def test_channels_last_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    kind = onnx.TensorProto.FLOAT
    spec = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "last", [spec("x", kind, (1, 8, 9, 3))],
        [spec("y", kind, (1, 8, 9, 3))],
    )  # fmt: skip
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), files[0])
    out = tmp_path / "out"
    Clconv().fails("visualize", *files, "-o", out, saying="float32[1x8x9x3], channels last")
    assert not out.exists()


def test_a_folder_without_pictures(files: tuple[Path, Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    Clconv().fails("visualize", files[0], empty, "-o", tmp_path / "out", saying="no picture")


def test_without_matplotlib_the_error_says_what_to_install(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    out = tmp_path / "out"
    Clconv().fails("visualize", *files, "-o", out, saying="pip install 'clconv[viz]'")
    assert not out.exists()


def test_matplotlibs_folders_are_no_matter_of_the_user(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    """As where a home cannot be written: Matplotlib takes a temporary folder, and would tell in two lines."""
    (tmp_path / "file").write_text("no folder")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "clconv", "visualize", *files, "-o", tmp_path / "out"),
            *("--views", "filters"),
        ],
        env={**os.environ, "MPLCONFIGDIR": str(tmp_path / "file"), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["device"]
    assert not any(temporary.iterdir())

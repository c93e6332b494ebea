"""`clconv train` as a user types it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from clconv import layers as L
from clconv.cli.recipe import recipe_of
from clconv.cli.training.augment import Augmentation
from clconv.cli.training.listing import list_pictures, split
from clconv.errors import InputError
from clconv.frontend.onnx import export_onnx, import_onnx
from clconv.graph.ir import TensorSpec
from clconv.training.checkpoint import load_checkpoint
from clconv.training.fit import example_order
from clconv.training.loop import Loop
from tests.cli.conftest import Clconv

COLOURS = {"blue": (20, 40, 220), "green": (30, 200, 40), "red": (220, 30, 30)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noisy pictures of three colours, a folder for each."""
    from PIL import Image

    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir()
        for i in range(14):
            pixels = np.clip(np.array(colour) + rng.normal(0, 40, (20, 24, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i}.png")
    (folder / "red" / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of five classes for pictures of 16x16."""
    graph = L.Sequential(
        L.Conv2d(8, 3, padding=1), L.Relu(), L.GlobalAvgPool2d(), L.Flatten(), L.Dense(5)
    ).build((3, 16, 16), batch=None)
    path = tmp_path_factory.mktemp("network") / "five.onnx"
    export_onnx(graph, path)
    return path


def test_what_is_learned_is_run_with_its_labels(
    clconv: Clconv, network: Path, photos: Path, tmp_path: Path
) -> None:
    output = tmp_path / "mine.onnx"
    result = clconv(
        "train", network, photos, "-o", output, "--epochs", 12, "--batch", 8, "--lr", 0.02
    )
    assert result.exit_code == 0, result.output
    assert "33 pictures of 3 classes, 9 held back" in result.stderr
    assert "epoch 12: loss" in result.stderr and "val_accuracy" in result.stderr
    recipe = recipe_of(import_onnx(output))
    assert recipe is not None and recipe.labels == ("blue", "green", "red")
    assert recipe.pixels.scale == pytest.approx(1 / 255)
    for name in COLOURS:
        first = clconv.works("run", output, "-i", photos / name / "0.png").splitlines()[0]
        assert first.split()[-1] == name, first


def test_an_interrupted_run_goes_on_to_the_same_bits(
    clconv: Clconv, network: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (network, photos, "--epochs", 3, "--batch", 8, "--lr", 0.01)
    whole, parts = tmp_path / "whole.onnx", tmp_path / "parts.onnx"
    clconv.works("train", *arguments, "-o", whole)

    run = Loop.run

    def interrupted(loop: Loop) -> None:
        told = loop._progress

        def stop(epoch: int, step: int, steps: int, figures: dict[str, float]) -> None:
            told(epoch, step, steps, figures)
            if (epoch, step) == (2, 2):
                raise KeyboardInterrupt

        loop._progress = stop  # type: ignore[assignment]
        run(loop)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "run", interrupted)
        clconv.fails("train", *arguments, "-o", parts, saying="--resume goes on", code=130)
    assert not parts.exists()
    clconv.fails(
        "train", *arguments, "-o", parts, "--resume", "--batch", 4,
        saying="made with --batch 8, this run has 4",
    )  # fmt: skip
    clconv.fails(
        "train", *arguments, "-o", parts, "--resume", "--mean", "0.5",
        saying="made with --mean (0.0,), this run has (0.5,)",
    )  # fmt: skip
    table = clconv.works("train", *arguments, "-o", parts, "--resume").splitlines()
    assert [line.split()[0] for line in table[1:-1]] == ["2", "3"], table
    first, second = (
        load_checkpoint(path.with_suffix(".checkpoint.safetensors"))[0] for path in (whole, parts)
    )
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.tobytes() == second[name].tobytes(), name


def test_a_picture_that_ends_early_is_mended_and_the_run_goes_on(
    clconv: Clconv, network: Path, photos: Path, tmp_path: Path
) -> None:
    """Its head is whole, so that it is only met when it is decoded: the last of the first epoch."""
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    listing = list_pictures(folder)
    training = split(listing, 0.2, 0)[0]
    last = training.files[example_order(0, 0, len(training))[-1]]
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    arguments = ("train", network, folder, "-o", tmp_path / "a.onnx", "--epochs", 1, "--batch", 8)
    clconv.fails(*arguments, saying="--resume goes on")
    last.write_bytes(whole)
    result = clconv(*arguments, "--resume")
    assert result.exit_code == 0 and "goes on after 4 steps" in result.stderr


def test_training_stops_when_nothing_gets_better(
    clconv: Clconv, network: Path, photos: Path, tmp_path: Path
) -> None:
    result = clconv(
        "train", network, photos, "-o", tmp_path / "a.onnx", "--epochs", 50, "--patience", 1,
        "--optimizer", "sgd", "--lr", 30,
    )  # fmt: skip
    assert "epoch 50" not in result.stderr


def test_what_writes_checkpoints_is_missed_before_anything_is_learned(
    clconv: Clconv, network: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    result = clconv("train", network, photos, "-o", tmp_path / "a.onnx", "--epochs", 1)
    assert result.exit_code == 1 and "pip install 'clconv[train]'" in result.stderr
    assert "weights learn" not in result.stderr


def test_a_table_names_files_and_labels(
    clconv: Clconv, network: Path, photos: Path, tmp_path: Path
) -> None:
    lines = ["file,label"] + [
        f"{photos / name / f'{i}.png'},{name}" for name in COLOURS for i in range(4)
    ]
    table = tmp_path / "pictures.csv"
    table.write_text("\n".join(lines))
    listing = list_pictures(table)
    assert len(listing) == 12 and listing.labels == ("blue", "green", "red")
    result = clconv(
        "train", network, table, "-o", tmp_path / "a.onnx", "--epochs", 1, "--validation", 0,
        "--no-augment", "--freeze", "conv2d_1.*",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "12 pictures of 3 classes, 0 held back; 27 of" in result.stderr


def test_a_pooling_that_nothing_flattens_and_open_sizes(
    clconv: Clconv, photos: Path, tmp_path: Path
) -> None:
    """As SqueezeNet: scores (n, classes, 1, 1). The size that was trained is that of the file."""
    layers = (L.Conv2d(5, 1), L.Relu(), L.GlobalAvgPool2d(), L.Softmax())
    graph = L.Sequential(*layers).build((3, 16, 16), batch=None)
    name = graph.inputs[0]
    export_onnx(graph.replace(specs={name: TensorSpec(("n", 3, "h", "w"))}), tmp_path / "in.onnx")
    output = tmp_path / "a.onnx"
    clconv.works(
        "train", tmp_path / "in.onnx", photos, "-o", output, "--epochs", 1, "--size", "12x8"
    )
    assert import_onnx(output).input_specs()[name].shape[1:] == (3, 12, 8)
    session = onnxruntime.InferenceSession(output)
    given = np.zeros((2, 3, 12, 8), np.float32)
    assert session.run(None, {name: given})[0].shape == (2, 3, 1, 1)
    assert "1x3x12x8" in clconv("run", output, "-i", photos / "red" / "0.png").stderr


def test_what_diverges_at_once_speaks_of_no_checkpoint_of_another_run(
    clconv: Clconv, network: Path, photos: Path, tmp_path: Path
) -> None:
    arguments = ("train", network, photos, "-o", tmp_path / "a.onnx", "--epochs", 1, "--batch", 8)
    clconv.works(*arguments)
    checkpoint = tmp_path / "a.checkpoint.safetensors"
    result = clconv(*arguments, "--optimizer", "sgd", "--lr", 1e30)
    assert result.exit_code == 1 and "Give a lower --lr" in result.stderr and checkpoint.exists()
    assert "whole epoch" not in result.stderr


def test_bad_uses_are_one_line(
    clconv: Clconv, network: Path, photos: Path, models: Path, tmp_path: Path
) -> None:
    output = tmp_path / "a.onnx"
    (tmp_path / "one" / "red").mkdir(parents=True)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "bad.csv").write_text("a.png\nb.png,red\n")
    (tmp_path / "gone.csv").write_text("x.png,red\ny.png,blue\n")
    shutil.copytree(photos, tmp_path / "broken")
    (tmp_path / "broken" / "red" / "0.png").write_bytes(b"no picture")
    shutil.copytree(photos, tmp_path / "empty")
    (tmp_path / "empty" / "yellow").mkdir()
    for arguments, saying in (
        ((network, tmp_path / "one"), "has no pictures"),
        ((network, tmp_path / "nothing"), "No such file"),
        ((network, tmp_path / "empty.csv"), "has no pictures; write a line of file,label"),
        ((network, tmp_path / "bad.csv"), "line 1 has 1 column;"),
        ((network, tmp_path / "gone.csv"), "there is no file"),
        ((network, tmp_path / "broken"), "1 of 42 pictures cannot be read"),
        ((network, tmp_path / "empty"), "no pictures in yellow"),
        ((network, photos, "--resume"), "nothing was interrupted"),
        ((network, photos, "--optimizer", "magic"), "choose one of sgd"),
        ((network, photos, "--lr", "-1"), "--lr"),
        ((network, photos, "--size", "8x8"), "--size: the model's input has a fixed size"),
        ((network, photos, "--freeze", "nothing.*"), "no parameter is named"),
        ((models / "two.onnx", photos), "takes 2 inputs"),
        ((models / "brightener.onnx", photos), "no last layer to replace"),
        ((tmp_path / "no.onnx", photos), "no.onnx"),
    ):
        clconv.fails("train", *arguments, "-o", output, saying=saying)
    clconv.fails("train", network, photos, "-o", tmp_path / "no" / "a.onnx", saying="no folder")
    assert not output.exists()


def test_lines_of_a_table_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    (tmp_path / "gaps.csv").write_text('\n\nfile,label\n\nx.png,"a\nb"\n')
    with pytest.raises(InputError, match=r"line 6: there is no file"):
        list_pictures(tmp_path / "gaps.csv")


def test_hidden_folders_hold_no_pictures_of_a_class(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "all")
    shutil.copytree(photos / "red", tmp_path / "all" / "red" / ".ipynb_checkpoints")
    (tmp_path / "all" / "red" / "more").mkdir()
    shutil.copy(photos / "red" / "0.png", tmp_path / "all" / "red" / "more")
    found = list_pictures(tmp_path / "all")
    assert len(found) == 43 and found.files == tuple(sorted(found.files))


def test_the_same_part_of_each_class_is_held_back(photos: Path) -> None:
    training, held = split(list_pictures(photos), 0.25, seed=3)
    assert [held.classes.count(c) for c in range(3)] == [4, 4, 4]
    assert not set(training.files) & set(held.files)
    assert split(list_pictures(photos), 0.25, seed=3)[1].files == held.files
    assert len(split(list_pictures(photos), 0.0, seed=3)[1]) == 0


def test_one_class_is_no_task(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "only").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "only" / "a.png")
    with pytest.raises(InputError, match="all of its pictures are of one class"):
        list_pictures(tmp_path)


def test_changes_of_pictures_follow_the_seed() -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (30, 40, 3)).astype(np.uint8))
    found = [
        np.asarray(Augmentation().apply(picture, (16, 12), np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    ]
    assert found[0].shape == (12, 16, 3)
    assert (found[0] == found[1]).all() and (found[0] != found[2]).any()

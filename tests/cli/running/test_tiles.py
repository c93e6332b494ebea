"""Tiles give what the whole picture gives, as far as a network sees."""

from __future__ import annotations

import functools
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto
from PIL import Image

import clconv as package
from clconv.api import read_model
from clconv.cli.running.tiles import dense_scale, tiling
from clconv.errors import InputError
from clconv.graph.ir import DType, TensorSpec
from clconv.graph.reference import run_reference
from tests.cli.conftest import Clconv
from tests.frontend.support import model, node, random, value

TILE = 32


def convolutional(size: int | str, up: int = 1, down: int = 1) -> ModelProto:
    """picture (1, 3, size, size) -> (1, 3, ...) of up/down times the size, through three convolutions."""
    last = f"{size}" if isinstance(size, str) else size * up // down
    nodes = [
        node("Conv", ["picture", "w"], ["a"], "first", pads=[1, 1, 1, 1], strides=[down, down]),
        node("Relu", ["a"], ["b"], "rectify"),
        node("Conv", ["b", "v"], ["c"], "second", pads=[1, 1, 1, 1]),
    ]
    constants = {"w": random(6, 3, 3, 3, seed=1), "v": random(3 * up * up, 6, 3, 3, seed=2)}
    if up > 1:
        nodes.append(node("DepthToSpace", ["c"], ["d"], "shuffle", blocksize=up))
    result = "d" if up > 1 else "c"
    sides = (size, size) if isinstance(size, int) else ("H", "W")
    ends = (last, last) if isinstance(size, int) else ("P", "Q")
    return model(
        nodes, [value("picture", 1, 3, *sides)], [value(result, 1, 3, *ends)], constants, opset=17
    )


@functools.cache
def loaded(up: int, down: int) -> package.Session:
    return package.load(convolutional(TILE, up, down).SerializeToString())


def reference(up: int, down: int, x: np.ndarray) -> np.ndarray:
    """The network on the whole picture, in NumPy."""
    graph = read_model(convolutional("open", up, down).SerializeToString())
    (found,) = run_reference(graph, {"picture": x}).values()
    return found


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (1, 4)])
@pytest.mark.parametrize("size", [(32, 32), (33, 70), (61, 100), (20, 90), (9, 7), (128, 31)])
def test_no_seams(size: tuple[int, int], up: int, down: int) -> None:
    tiled = loaded(up, down)
    x = np.random.default_rng(0).random((1, 3, *size), np.float32)
    cut = tiling(size, (TILE, TILE), Fraction(up, down), True)
    (outputs,) = tiled.run_batches([cut.cut(x)])
    (found,) = cut.join(outputs).values()
    wanted = reference(up, down, x)
    assert found.shape == wanted.shape
    # Where a tile reaches beyond the picture, its border is repeated, and not zero as at the whole picture's border.
    inner = [s if s >= TILE and (s - TILE) % down == 0 else s - 4 * down for s in size]
    rows, columns = (max(0, side * up // down) for side in inner)
    np.testing.assert_allclose(
        found[:, :, :rows, :columns], wanted[:, :, :rows, :columns], rtol=1e-4, atol=1e-5
    )


def test_every_pixel_comes_from_one_tile() -> None:
    for size in range(1, 200, 7):
        cut = tiling((size, 50), (TILE, 16), Fraction(1), False)
        x = np.arange(size * 50, dtype=np.float32).reshape(1, size, 50, 1)
        np.testing.assert_array_equal(cut.join({"y": cut.cut(x)})["y"], x)
    with pytest.raises(InputError, match="no map of"):
        cut.join({"y": np.zeros((1, 3, 4, 4))})


def spec(*shape: int | str | None) -> TensorSpec:
    return TensorSpec(shape, DType("float32"))


def test_which_networks_are_dense() -> None:
    picture = spec(1, 3, 64, 48)
    for outputs, scale in (
        ([spec(1, 3, 256, 192)], Fraction(4)),
        ([spec(1, 21, 64, 48)], Fraction(1)),
        ([spec(1, 21, 64, 48), spec(1, 1, 16, 12)], Fraction(1, 4)),
        ([spec(1, 1000)], None),
        ([spec(1, 21, 64, 64)], None),
        ([spec(1, 512, 2, 2)], None),
        ([spec(1, 1, "H", "W")], None),
        ([None], None),
    ):
        assert dense_scale(picture, dict(zip("ab", outputs, strict=False)), True) == scale
    assert dense_scale(spec(1, 3, "H", "W"), {"a": spec(1, 3, "H", "W")}, True) is None
    assert dense_scale(spec(1, 8, 8, 3), {"a": spec(1, 16, 16, 1)}, False) == 2


def test_run_gives_the_whole_picture(clconv: Clconv, tmp_path: Path) -> None:
    onnx.save(convolutional(TILE, 2), str(tmp_path / "up.onnx"))
    pixels = np.random.default_rng(1).integers(0, 256, (70, 45, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    given = ("run", tmp_path / "up.onnx", tmp_path / "photo.png", "-o")
    result = clconv(*given, tmp_path / "large.png")
    assert result.exit_code == 0 and "70x45 pixels as" in result.stderr
    with Image.open(tmp_path / "large.png") as large:
        assert large.size == (90, 140)
    clconv.works(*given, tmp_path / "large.npz")
    x = (pixels / 255).astype(np.float32).transpose(2, 0, 1)[np.newaxis]
    wanted = reference(2, 1, x)
    np.testing.assert_allclose(np.load(tmp_path / "large.npz")["d"], wanted, rtol=1e-4, atol=1e-5)
    clconv.works(*given, tmp_path / "all.jsonl")
    assert (tmp_path / "all.jsonl").read_text().count("\n") == 1
    clconv.works(*given, tmp_path / "middle.png", "--fit", "crop")
    with Image.open(tmp_path / "middle.png") as middle:
        assert middle.size == (64, 64)

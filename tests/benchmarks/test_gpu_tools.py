"""benchmarks/gpu's tools beside its whole run: tiles of matrix instructions, and the counters of compiled kernels."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import pytest

from benchmarks.gpu import counters, tiles
from benchmarks.gpu.run import EMULATED, plain
from clconv.device.info import DeviceInfo
from clconv.lowering.shared import tiles as known

PTX = """
.visible .entry first(.param .u64 x) {
  mov.b32 %r3, %envreg3;
}
.visible .entry second(.param .u64 x) {
}
"""


@pytest.mark.parametrize("precision", tiles.TILES)
def test_a_tile_is_measured_and_right(
    precision: str, device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MATRIX_TILES", "HALF_MATRIX_TILES"):  # set and taken back
        monkeypatch.setattr(known, name, getattr(known, name))
    able = dataclasses.replace(device, kind="gpu", matrix=EMULATED, matrix_verified=True)
    results = {}
    for number, tile in enumerate(tiles.TILES[precision]):
        if (tile.m, tile.n) in ((32, 64), (64, 64)):
            task = (able, precision, "1x1 96-24 56", 1, 8, number)
            assert tiles.compiled(task) == ""
            label, ms, tflops, found = tiles.measured(task, 0.0)
            assert label.startswith(f"{tile.m}x{tile.n}x{tile.k} ") and ms > 0 and tflops > 0
            results[label] = found
    first, *others = results.values()
    assert len(others) >= 1
    for other in others:
        assert abs(other - first).max() <= 2e-3 * abs(first).max()


def test_every_tile_of_a_precision_is_tried(device: DeviceInfo) -> None:
    found = list(tiles.tasks(device, False))
    assert len(found) == len(tiles.ROWS) * sum(map(len, tiles.TILES.values()))


def test_programs_are_found_by_their_kernels(tmp_path: Path) -> None:
    path = tmp_path / "gpu.programs.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("vgg16 x 16 float32 0123", PTX.encode() + b"\0")
    found = counters.modules(path)
    assert set(found) == {"first", "second"}
    text = counters.without_offsets(found["first"])
    assert "%envreg" not in text and "mov.u32 %r3, 0;" in text


def test_a_network_is_planned_as_it_was_there(device: DeviceInfo) -> None:
    """The launches by the names in the record, with the arguments that they had."""
    gpu = dataclasses.replace(device, kind="gpu", name="a GPU", quirks=frozenset())
    record = json.loads(json.dumps({"info": plain(gpu)}))
    assert counters.device_of(record) == gpu
    record["networks"] = [{"name": "unet", "batch": 1, "precision": "float32", "top": []}]
    assert counters.jobs_of(record, "unet:1:float32", 3) == []
    with pytest.raises(SystemExit, match="not measured"):
        counters.jobs_of(record, "unet:16:float32", 3)

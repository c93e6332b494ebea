"""Files of networks that were loaded: damaged ones, those of others, and how many there are."""

from __future__ import annotations

import os
import random
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import ClconvWarning
from clconv.frontend.layers import Dense, Flatten, Sequential
from tests.session.kept.conftest import X, networks, same


def test_damaged_files_are_made_anew(device: DeviceInfo, model: Path, cache: Path) -> None:
    """Cut off at, and changed at, places all over the file."""
    expected = clconv.load(model, device).run(X)
    (kept,) = networks(cache)
    whole, chance = kept.read_bytes(), random.Random(3)
    for i in range(24):
        place = chance.randrange(len(whole)) if i > 4 else i * 3
        content = bytearray(whole)
        content[place] ^= 1 << chance.randrange(8)
        kept.write_bytes(whole[:place] if i % 2 else content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ClconvWarning)
            assert same(clconv.load(model, device).run(X), expected), (i, place)
        assert kept.read_bytes() == whole or len(kept.read_bytes()) == len(whole), i


def test_damage_is_told(device: DeviceInfo, model: Path, cache: Path) -> None:
    clconv.load(model, device)
    (kept,) = networks(cache)
    kept.write_bytes(kept.read_bytes()[:-5])
    with pytest.warns(ClconvWarning, match="is cut off; it is not used, and made anew"):
        clconv.load(model, device)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners and modes are POSIX's")
def test_what_others_may_write_is_not_used(
    device: DeviceInfo, model: Path, cache: Path, planned: list[Any]
) -> None:
    clconv.load(model, device)
    (kept,) = networks(cache)
    kept.chmod(0o666)
    before = len(planned)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClconvWarning)
        clconv.load(model, device)
    assert len(planned) > before
    assert kept.stat().st_mode & 0o777 == 0o600


def test_what_is_kept_has_a_limit(
    device: DeviceInfo, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_CACHE_SIZE", "0")
    for size in range(3):
        layers = Sequential(Flatten(), Dense(240 + size))
        clconv.save(layers.build((1, 30, 30)), tmp_path / f"{size}.onnx")  # 0.9 MB of weights
    clconv.load(tmp_path / "0.onnx", device)
    assert not networks(cache)
    monkeypatch.setenv("CLCONV_CACHE_SIZE", "2")
    for size in range(3):
        clconv.load(tmp_path / f"{size}.onnx", device)
        time.sleep(0.02)
    assert len(networks(cache)) == 2
    before = {path: path.stat().st_mtime_ns for path in networks(cache)}
    clconv.load(tmp_path / "1.onnx", device)  # the one used last is the one that stays
    (used,) = (path for path in before if path.stat().st_mtime_ns != before[path])
    clconv.load(tmp_path / "0.onnx", device)
    assert used in networks(cache)


def test_a_cache_that_cannot_be_written_is_no_error(
    device: DeviceInfo, model: Path, cache: Path
) -> None:
    (cache / "networks").write_text("no folder")
    expected = clconv.load(model, device).run(X)
    assert same(clconv.load(model, device).run(X), expected)

"""What was found out on a machine like this one is not tried again, and is what trying it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from clconv.device.info import DeviceInfo, widened
from clconv.device.processor import Processor
from clconv.probes import dot_probe, known, wide_probe
from clconv.probes.known import KNOWN, Known, _is_like_this
from clconv.runtime.quarantine import device_key

ROW = Known("wide.json", {"wide": "avx512f"}, "3.0", "libpocl-1.so", "Maker", 25, range(16, 32))
PROCESSOR = Processor("Maker", 25, 17)
KEY: dict[str, Any] = {"device": {"driver": "3.0"}, "wide": "avx512f", "clconv": "0"}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(wide_probe, "_found", {})


def _machine(
    monkeypatch: pytest.MonkeyPatch, processor: Processor, library: str = "libpocl-1.so"
) -> None:
    monkeypatch.setattr(known, "KNOWN", (ROW, ROW._replace(file="other.json", reason="wrong")))
    monkeypatch.setattr(known, "this_processor", lambda: processor)
    monkeypatch.setattr(known, "is_loaded", lambda name: name == library)


def test_a_machine_like_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    _machine(monkeypatch, PROCESSOR)
    assert known.known("wide.json", KEY) == ""
    assert known.known("other.json", KEY) == "wrong"


@pytest.mark.parametrize(
    ("processor", "library", "key"),
    [
        (dataclasses.replace(PROCESSOR, model=32), ROW.library, {}),
        (dataclasses.replace(PROCESSOR, family=26), ROW.library, {}),
        (dataclasses.replace(PROCESSOR, vendor="Another"), ROW.library, {}),
        (PROCESSOR, "libpocl-2.so", {}),
        (PROCESSOR, ROW.library, {"device": {"driver": "3.1"}}),
        (PROCESSOR, ROW.library, {"wide": "avx512f,avx512bw"}),
    ],
    ids=["model", "family", "vendor", "library", "driver", "features"],
)
def test_another_machine_is_not(
    processor: Processor, library: str, key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine(monkeypatch, processor, library)
    assert known.known("wide.json", {**KEY, **key}) is None


def test_nothing_is_tried_that_is_known(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed = dataclasses.replace(device, wide="avx512f", wide_verified=False)
    row = ROW._replace(driver=device.driver)
    _machine(monkeypatch, PROCESSOR)
    monkeypatch.setattr(wide_probe, "Trial", None)
    for reason, lanes in (("", 16), ("they give wrong results", device.vector_width)):
        monkeypatch.setattr(known, "KNOWN", (row._replace(reason=reason),))
        wide_probe._found.clear()
        wide_probe.begin(claimed)
        if device.is_cpu:
            assert wide_probe.verified_wide(claimed).vector_width == lanes


@pytest.mark.parametrize("row", KNOWN, ids=lambda row: f"{row.file} {row.vendor} {row.family}")
def test_trying_it_says_the_same(row: Known, device: DeviceInfo) -> None:
    key = {"device": device_key(device), **row.about}
    if not _is_like_this(row, key) or device.wide != row.about["wide"]:
        pytest.skip("another processor, or another driver")
    plain = dataclasses.replace(device, wide_verified=False, dot_verified=False)
    if row.file == "wide.json":
        assert wide_probe.Trial(plain).refusal() == row.reason
    else:
        assert row.file == "dot.json"
        able = widened(dataclasses.replace(plain, dot=row.about["dot"]))
        assert dot_probe.refusal(able) == row.reason

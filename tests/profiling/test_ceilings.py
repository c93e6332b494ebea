"""A device's ceilings are measured once, kept with the date, and measured again where the file is of no use."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from clconv.device.info import DeviceInfo
from clconv.diagnosis.peak import Peak
from clconv.errors import ClconvWarning
from clconv.profiling import ceilings
from clconv.profiling.ceilings import ceilings_of
from clconv.runtime.quarantine import device_key
from clconv.store.kept import kept_path
from clconv.store.records import write_records


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of the devices that are measured, in a place where nothing is kept yet."""
    asked: list[str] = []

    def measure(device: DeviceInfo, repeats: int) -> Peak:
        asked.append(device.name)
        return Peak(1e9 * len(asked), 2e9 / len(asked))

    monkeypatch.setattr(ceilings, "measure_peak", measure)
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path / "kept"))
    return asked


def test_a_device_is_measured_once(device: DeviceInfo, measured: list[str]) -> None:
    other = dataclasses.replace(device, name="another")
    first = ceilings_of(device)
    assert (first.flops, first.bytes, first.measured[:2]) == (1e9, 2e9, "20")
    assert ceilings_of(other).flops == 2e9
    assert ceilings_of(device) == first and ceilings_of(other).flops == 2e9
    assert measured == [device.name, "another"]
    again = ceilings_of(device, afresh=True)
    assert again == ceilings_of(device) and (again.flops, again.bytes) == (3e9, 2e9)
    assert ceilings_of(other).flops == 2e9


def test_a_busy_machine_lowers_no_ceiling(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch, measured: list[str]
) -> None:
    monkeypatch.setattr(ceilings, "measure_peak", lambda device, repeats: Peak(5e9, 5e9))
    first = dataclasses.replace(ceilings_of(device), measured="2026-01-01")
    write_records(
        kept_path("ceilings.json"),
        [{"device": device_key(device), **dataclasses.asdict(first)}],
        own=True,
    )
    monkeypatch.setattr(ceilings, "measure_peak", lambda device, repeats: Peak(4e9, 5e9))
    assert ceilings_of(device, afresh=True) == first  # with the date when it was reached


def test_another_driver_is_another_device(device: DeviceInfo, measured: list[str]) -> None:
    ceilings_of(device)
    ceilings_of(dataclasses.replace(device, driver="newer"))
    assert len(measured) == 2


@pytest.mark.parametrize(
    "content",
    ["{", '{"format": 1, "records": [{"device": {}, "flops": -1, "bytes": 1, "measured": "x"}]}'],
)
def test_a_damaged_file_is_measured_anew(
    content: str, device: DeviceInfo, measured: list[str], tmp_path: Path
) -> None:
    ceilings_of(device)
    (tmp_path / "kept" / "ceilings.json").write_text(content)
    with pytest.warns(ClconvWarning, match="measured again"):
        ceilings_of(device)
    assert ceilings_of(device).flops == 2e9 and len(measured) == 2

"""Files of tuning results: read back as written, and never trusted."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from clconv import errors
from clconv.device.info import DeviceInfo
from clconv.device.measurements import Entry, Machine
from clconv.errors import ClconvWarning
from clconv.lowering.model.kernel import VARIANTS
from clconv.runtime.measurement_files import (
    SHIPPED,
    measurements_for,
    merged,
    own_file,
    read_entries,
    write_entries,
)
from clconv.runtime.quarantine import findings_for
from clconv.session.session import Session
from clconv.store.files import Unusable
from tests.device.test_measurements import entry, layer
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2


@pytest.fixture(autouse=True)
def own_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(errors, "_warned", set())
    monkeypatch.setattr("clconv.runtime.measurement_files._shipped", lambda: ())


ENTRY = entry(layer(), error=1e-6, default_error=2e-6, seconds=0.001, default_seconds=0.002)


def test_what_was_written_is_read() -> None:
    usual = entry(layer(size=20), variant="winograd4", parameters=(), is_default=True)
    write_entries(own_file(), [ENTRY, usual])
    assert read_entries(own_file()) == ([ENTRY, usual], [])
    assert measurements_for(AVX2).entries == (ENTRY, usual)
    (first, _) = json.loads(own_file().read_text())["records"]
    assert first["parameters"] == {"pixels": 3} and first["device"]["driver"] == AVX2.driver


def changed(**more: Any) -> str:
    write_entries(own_file(), [ENTRY])
    content = json.loads(own_file().read_text())
    content["records"][0].update(more)
    return json.dumps(content)


@pytest.mark.parametrize(
    "more",
    [
        {"device": {}},
        {"device": 7},
        {"sizes": {"pixels": "many"}},
        {"sizes": [1]},
        {"parameters": [3]},
        {"parameters": {"pixels": [3]}},
        {"seconds": "fast"},
        {"is_default": 1},
        {"variant": None},
        {"class": {"window": True}},
    ],
)
def test_a_damaged_record_makes_the_file_unusable(more: dict[str, Any]) -> None:
    own_file().write_text(changed(**more))
    with pytest.raises(Unusable, match="damaged record"):
        read_entries(own_file())
    with pytest.warns(ClconvWarning, match="it is ignored") as caught:
        assert measurements_for(AVX2).entries == ()
        assert findings_for(AVX2).measurements.entries == ()
    assert len(caught) == 1


@pytest.mark.parametrize("text", ["", "{]", "7", '{"format": 0}', '{"format": 1, "records": [1]}'])
def test_a_damaged_file_is_reported_and_ignored(text: str) -> None:
    own_file().write_text(text)
    with pytest.warns(ClconvWarning, match="it is ignored"):
        assert measurements_for(AVX2).entries == ()


@pytest.mark.parametrize(
    "more, saying",
    [
        ({"operator": "NoSuch"}, "no variant NoSuch:direct"),
        ({"variant": "gone"}, "no variant Conv:gone"),
        ({"parameters": {"gone": 1}}, "no parameter 'gone'"),
        ({"parameters": {"pixels": 1000}}, "pixels cannot be 1000"),
    ],
)
def test_stale_results_are_reported_and_the_others_used(more: dict[str, Any], saying: str) -> None:
    record = json.loads(changed(**more))["records"][0]
    write_entries(own_file(), [entry(layer(size=28))])
    content = json.loads(own_file().read_text())
    content["records"].append(record)
    own_file().write_text(json.dumps(content))
    with pytest.warns(ClconvWarning, match=f"1 results are ignored.*{saying}"):
        assert len(measurements_for(AVX2).entries) == 1


def test_another_drivers_results_are_reported_once_and_ignored() -> None:
    newer = dataclasses.replace(AVX2, driver="2")
    write_entries(own_file(), [ENTRY])
    with pytest.warns(ClconvWarning, match="1 results .* are of another driver") as caught:
        assert measurements_for(newer).entries == ()
        measurements_for(newer)
    assert len(caught) == 1
    write_entries(own_file(), [ENTRY, dataclasses.replace(ENTRY, machine=Machine.of(newer))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [e.machine.driver for e in measurements_for(newer).entries] == ["2"]


def test_merging_keeps_the_later_or_the_faster() -> None:
    slower = dataclasses.replace(ENTRY, seconds=0.003)
    other = entry(layer(size=20))
    assert merged([ENTRY], [slower, other]) == [slower, other]
    assert merged([ENTRY], [slower, other], faster=True) == [ENTRY, other]
    assert merged([slower], [ENTRY], faster=True) == [ENTRY]


def test_a_session_runs_what_was_tuned(device: DeviceInfo) -> None:
    device = dataclasses.replace(device, wide="")  # of vectors as wide as what was tuned
    b = Builder()
    graph = b.graph(b.conv(b.input("n", 8, "h", "w"), 8, 8, 3, out="y", pads=(1, 1, 1, 1)))
    last = VARIANTS["Conv"][-1].name

    def choice(size: int) -> tuple[str, str]:
        bound = Session(graph, device).prepare({"x": (1, 8, size, size)})
        (found,) = bound.plan.lowered.choices.values()
        return found.variant.name, found.source

    assert choice(8)[1] == "heuristic"
    tuned = Entry(Machine.of(device), entry(layer(8, 8, 8), device).shape, last)
    write_entries(own_file(), [tuned])
    assert choice(8) == (last, "tuned: exact shape")
    assert choice(16) == (last, "tuned: nearest shape")


def test_what_is_shipped_is_usable() -> None:
    """Right variants and parameters; a device's own driver is never older than what was shipped for it."""
    for path in SHIPPED.glob("*.json"):
        entries, stale = read_entries(path)
        assert entries and not stale, path.name
        for found in entries:
            assert not found.is_default
            assert found.seconds < 0.97 * found.default_seconds, found
            assert found.error <= max(found.default_error, 2e-6), found


def test_a_number_beyond_64_bits_is_refused_and_ignored(device: DeviceInfo, tmp_path: Path) -> None:
    (record, *_) = json.loads(next(SHIPPED.glob("*.json")).read_text())["records"]
    record["sizes"] = dict.fromkeys(record["sizes"], 10**400)
    path = tmp_path / "given.json"
    path.write_text(json.dumps({"format": 1, "records": [record]}))
    with pytest.raises(Unusable, match="beyond 64 bits"):
        read_entries(path)
    own = own_file()
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(path.read_text())
    own.chmod(0o600)
    with pytest.warns(ClconvWarning, match="beyond 64 bits"):
        assert not measurements_for(device).entries
    own.unlink()

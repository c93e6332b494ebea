"""Vectors of 16 lanes are used where a process of its own saw that functions for AVX-512 are right, and multiply no slower."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import pytest

from clconv.device.info import DeviceInfo, wide_of, widened
from clconv.device.quirks import apply_quirks
from clconv.errors import KernelBuildError
from clconv.frontend.layers import Conv2d, Sequential
from clconv.probes import known, wide_probe
from clconv.probes.apart import remembered
from clconv.probes.probed import probed_for
from clconv.probes.wide_probe import Trial, _in_words, _Speed, begin, verified_wide
from clconv.runtime.opencl import Helper
from tests.wide_vectors import with_wide_vectors

AVX512 = frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx2"})
ZEN4 = DeviceInfo(
    *("EPYC 9B14", "AuthenticAMD", "Portable Computing Language", "3.0", "3.0", "cpu"),
    version="OpenCL 3.0 PoCL HSTR: pthread-x86_64-unknown-linux-gnu-znver3",
    vector_width=16,
    wide="avx512f",
)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(known, "KNOWN", ())  # here everything is tried
    monkeypatch.setattr(wide_probe, "_found", {})


class _Found:
    """In the place of a Trial; counts how many there were."""

    def __init__(self, refusal: str | Exception) -> None:
        self._refusal, self.begun = refusal, 0

    def __call__(self, device: DeviceInfo) -> _Found:
        self.begun += 1
        return self

    def refusal(self) -> str:
        if isinstance(self._refusal, Exception):
            raise self._refusal
        return self._refusal


@pytest.mark.parametrize("begins", [True, False], ids=["begun", "asked for"])
@pytest.mark.parametrize(
    ("refusal", "lanes"),
    [
        ("", 16),
        ("they give wrong results", 8),
        (KernelBuildError("a process that tried it ended with -6"), 8),
        (OSError("no more processes"), 8),
    ],
)
def test_what_a_process_found_out_decides_and_is_remembered(
    refusal: str | Exception, lanes: int, begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = _Found(refusal)
    monkeypatch.setattr(wide_probe, "Trial", trial)
    device, graph = apply_quirks(ZEN4), Sequential(Conv2d(3, 3)).build((3, 8, 8))
    assert device.vector_width == 8
    for _ in range(2):
        if begins:
            begin(device)
            begin(device)
        found = probed_for(graph, device, "float32")
        assert (found.vector_width, found.wide_verified) == (lanes, lanes == 16)
        wide_probe._found.clear()
    assert trial.begun == 1


def test_why_not() -> None:
    assert _in_words(False, 0.9) == "they give wrong results"
    assert _in_words(True, 1.5) == "a multiply-add takes 1.50 times as long"
    assert _in_words(True, 1.0) == ""


def test_which_processors_claim_it() -> None:
    named = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl"
    assert wide_of(ZEN4.version, AVX512) == named
    more = AVX512 | {"avx512_vnni", "avx512vbmi"}
    assert wide_of(ZEN4.version, more) == named + ",avx512vnni,avx512vbmi"
    assert wide_of(ZEN4.version, AVX512 - {"avx512vl"}) == ""
    assert wide_of(ZEN4.version.replace("znver3", "icelake-client"), AVX512) == ""


@pytest.fixture
def claimed(device: DeviceInfo) -> DeviceInfo:
    """A device whose vectors of 16 lanes nobody has tried yet."""
    return dataclasses.replace(device, wide=with_wide_vectors(device).wide, wide_verified=False)


def test_on_a_processor_with_avx512_they_are_right(claimed: DeviceInfo) -> None:
    begin(claimed)
    found = verified_wide(claimed)
    assert (found.vector_width, found.wide_verified) == (16, True)


def test_it_looks_longer_where_they_seem_slower(
    claimed: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may have had the cores."""
    turns: list[int] = []
    later = [0.9]

    class Speed(_Speed):
        def __init__(self, device: DeviceInfo, helper: Helper, count: int) -> None:
            super().__init__(device, helper, count)
            turns.append(count)

        def ratio(self) -> tuple[float, bool]:
            _, right = super().ratio()
            return (1.3 if len(turns) == 1 else later[0]), right

    monkeypatch.setattr(wide_probe, "_Speed", Speed)
    for ratio, reason in ((0.9, ""), (1.4, "a multiply-add takes 1.40 times as long")):
        later[0] = ratio
        turns.clear()
        assert Trial(claimed).refusal() == reason
        assert turns == [wide_probe._TURNS, 10 * wide_probe._TURNS]


def test_wrong_results_are_seen(claimed: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(claimed)
    monkeypatch.setitem(trial._feeds, "x", trial._feeds["x"] + 1)  # that what was found is not for
    assert trial.refusal() == "they give wrong results"


def test_a_process_that_dies_of_it_is_told(
    claimed: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(device: DeviceInfo) -> Helper:
        helper = Helper(device)
        helper._process.send_signal(signal.SIGABRT)
        return helper

    monkeypatch.setattr(wide_probe, "taken", dying)
    assert verified_wide(claimed) is claimed
    reason = remembered("wide.json", wide_probe._key(claimed))
    assert reason == "a process that tried it ended with -6"


def test_the_machine_decides_nothing_where_it_claims_nothing(device: DeviceInfo) -> None:
    plain = dataclasses.replace(device, wide="")
    assert verified_wide(plain) is plain
    known = widened(dataclasses.replace(device, wide="avx512f"))
    assert verified_wide(known) is known

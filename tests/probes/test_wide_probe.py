"""Vectors of 16 lanes are used where a process of its own saw that functions for AVX-512 are right, and no slower."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clconv.device.info import DeviceInfo, apply_quirks, wide_of, widened
from clconv.errors import KernelBuildError
from clconv.frontend.layers import Conv2d, Sequential
from clconv.probes import wide_probe
from clconv.probes.probed import probed_for
from clconv.probes.wide_probe import is_right, refusal, verified_wide
from tests.wide_vectors import with_wide_vectors

AVX512 = frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx2"})
ZEN4 = DeviceInfo(
    *("EPYC 9B14", "AuthenticAMD", "Portable Computing Language", "3.0", "3.0", "cpu"),
    version="OpenCL 3.0 PoCL HSTR: pthread-x86_64-unknown-linux-gnu-znver3",
    vector_width=16,
    wide="avx512f",
)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path))
    verified_wide.cache_clear()
    yield
    verified_wide.cache_clear()


@pytest.mark.parametrize(
    ("stdout", "returncode", "lanes"),
    [("right\n", 0, 16), ("they give wrong results\n", 0, 8), ("right\n", -6, 8), ("", 0, 8)],
)
def test_what_a_process_found_out_decides_and_is_remembered(
    stdout: str, returncode: int, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def process(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, returncode, stdout)

    monkeypatch.setattr(subprocess, "run", process)
    device, graph = apply_quirks(ZEN4), Sequential(Conv2d(3, 3)).build((3, 8, 8))
    assert device.vector_width == 8
    for _ in range(2):
        found = probed_for(graph, device, "float32")
        assert (found.vector_width, found.wide_verified) == (lanes, lanes == 16)
        verified_wide.cache_clear()
    assert len(started) == 1 and started[0][1:3] == ["-m", "clconv.probes.wide_probe"]


def test_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(*_: Any) -> bool:
        raise KernelBuildError("no avx512f\nsource")

    right, slower = lambda *_: True, lambda _: 1.2
    monkeypatch.setattr(wide_probe, "is_right", ends)
    assert refusal(ZEN4) == "no avx512f"
    monkeypatch.setattr(wide_probe, "is_right", lambda *_: False)
    assert refusal(ZEN4) == "they give wrong results"
    monkeypatch.setattr(wide_probe, "is_right", right)
    monkeypatch.setattr(wide_probe, "times_as_long", slower)
    assert refusal(ZEN4) == "they take 1.20 times as long"
    monkeypatch.setattr(wide_probe, "times_as_long", lambda _: 0.6)
    assert refusal(ZEN4) == ""


@pytest.mark.parametrize(("disturbed", "ratio"), [(20, 0.9), (100, 0.9), (100000, 1.3)])
def test_it_looks_longer_where_they_seem_slower(
    disturbed: int, ratio: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first runs on wide vectors take 1.3 of the others' time, as others have the cores, then 0.9."""
    now, runs = [0.0], [0]

    class Bound:
        def __init__(self, device: DeviceInfo) -> None:
            self.wide = device.wide_verified

        def bind(self, _: Any) -> Bound:
            return self

        def run(self, _: Any) -> None:
            runs[0] += self.wide
            now[0] += (1.3 if runs[0] <= disturbed else 0.9) if self.wide else 1.0

    monkeypatch.setattr(wide_probe, "PreparedDevice", Bound)
    monkeypatch.setattr("clconv.probes.wide_probe.time.perf_counter", lambda: now[0])
    assert wide_probe.times_as_long(ZEN4) == pytest.approx(ratio)
    assert runs[0] == min(-(-disturbed // 30), 10) * 30


def test_which_processors_claim_it() -> None:
    named = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl"
    assert wide_of(ZEN4.version, AVX512) == named
    more = AVX512 | {"avx512_vnni", "avx512vbmi"}
    assert wide_of(ZEN4.version, more) == named + ",avx512vnni,avx512vbmi"
    assert wide_of(ZEN4.version, AVX512 - {"avx512vl"}) == ""
    assert wide_of(ZEN4.version.replace("znver3", "icelake-client"), AVX512) == ""


@pytest.mark.slow
@pytest.mark.parametrize("joining", [True, False], ids=["joined", "alone"])
def test_on_a_processor_with_avx512_they_are_right(joining: bool, device: DeviceInfo) -> None:
    assert is_right(with_wide_vectors(device), joining)


def test_the_machine_decides_nothing_where_it_claims_nothing(device: DeviceInfo) -> None:
    plain = dataclasses.replace(device, wide="")
    assert verified_wide(plain) is plain
    known = widened(dataclasses.replace(device, wide="avx512f"))
    assert verified_wide(known) is known

"""Products of bytes are used only where a process of its own saw that they are exact."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo, dot_of, gpu_dot
from clconv.errors import KernelBuildError
from clconv.frontend.layers import Conv2d, Sequential
from clconv.graph.ir import Graph
from clconv.probes import dot_probe, known
from clconv.probes.dot_probe import refusal, verified_dot, with_verified_dot
from clconv.probes.wide_probe import verified_wide
from clconv.store.kept import kept_path
from tests.graph.bytes.test_place_bytes import Quantised
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX512
from tests.planning.support import make_plan

CPU = DeviceInfo("cpu", "maker", "Portable Computing Language", "3.0", "3.0", "cpu", dot="vnni")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(known, "KNOWN", ())  # here everything is tried
    verified_dot.cache_clear()
    yield
    verified_dot.cache_clear()


def quantised() -> Graph:
    b = Builder()
    scale, zero = b.constant(0.1), b.constant(3, "uint8")
    return b.graph(b.node("QuantizeLinear", b.input(1, 3, 4, 4), scale, zero))


class _Tried:
    """In the place of refusal(); counts how often it was asked."""

    def __init__(self, reason: str | Exception) -> None:
        self.reason, self.asked = reason, 0

    def __call__(self, device: DeviceInfo) -> str:
        self.asked += 1
        if isinstance(self.reason, Exception):
            raise self.reason
        return self.reason


def test_what_a_process_found_exact_is_used_and_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = _Tried("")
    monkeypatch.setattr(dot_probe, "refusal", tried)
    for _ in range(3):
        assert with_verified_dot(quantised(), CPU, "float32").dot_verified
        verified_dot.cache_clear()
    assert tried.asked == 1
    newer = dataclasses.replace(CPU, driver="4.0")
    assert verified_dot(newer).dot_verified and tried.asked == 2  # another driver is another


@pytest.mark.parametrize(
    "reason",
    [
        "they give wrong sums",
        KernelBuildError("a process that tried it ended with -4"),
        OSError("no more processes"),
    ],
)
def test_what_is_wrong_or_ends_the_process_is_not_used(
    reason: str | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = _Tried(reason)
    monkeypatch.setattr(dot_probe, "refusal", tried)
    for _ in range(2):
        assert with_verified_dot(quantised(), CPU, "float32") == CPU
        verified_dot.cache_clear()
    assert tried.asked == 2  # of each way once


def test_what_is_next_is_tried_where_the_compiler_does_not_know_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def only_words(device: DeviceInfo) -> str:
        return "" if device.dot == "words" else "needs a target feature"

    monkeypatch.setattr(dot_probe, "refusal", only_words)
    found = with_verified_dot(quantised(), CPU, "float32")
    assert (found.dot, found.dot_verified) == ("words", True)


def test_a_damaged_record_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dot.json").write_text("{")
    monkeypatch.setattr(dot_probe, "refusal", _Tried(""))
    assert verified_dot(CPU).dot_verified


def test_what_was_of_no_use_is_tried_again_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk may have been full then."""
    for reason, other, later in (("no room", "", 2 * 86400), ("", "no room", 4 * 86400)):
        monkeypatch.setattr(dot_probe, "refusal", _Tried(reason))
        assert bool(verified_dot(CPU).dot_verified) is not bool(reason)
        verified_dot.cache_clear()
        monkeypatch.setattr(dot_probe, "refusal", _Tried(other))
        assert bool(verified_dot(CPU).dot_verified) is not bool(reason)  # remembered
        verified_dot.cache_clear()
        now = time.time() + later
        monkeypatch.setattr(time, "time", lambda now=now: now)
    assert verified_dot(CPU).dot_verified  # what is exact remains so


def test_nothing_is_tried_where_nothing_is_quantised(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = _Tried("")
    monkeypatch.setattr(dot_probe, "refusal", tried)
    plain = Sequential(Conv2d(3, 3)).build((3, 8, 8))
    assert with_verified_dot(plain, CPU, "float32") is CPU
    assert with_verified_dot(quantised(), CPU, "float16") is CPU
    without = dataclasses.replace(CPU, dot="")
    assert with_verified_dot(quantised(), without, "float32") is without
    assert not tried.asked


def test_the_reason_is_told(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> dict[str, np.ndarray]:
        raise KernelBuildError("needs target feature avx512vnni\nand more")

    monkeypatch.setattr(dot_probe, "outputs_apart", lambda *_: {"y": np.zeros(3, np.uint8)})
    assert refusal(device) == "they give wrong sums"
    monkeypatch.setattr(dot_probe, "outputs_apart", refuses)
    assert not verified_dot(dataclasses.replace(device, dot="vnni")).dot_verified
    assert '"needs target feature avx512vnni"' in kept_path("dot.json").read_text()


def test_another_process_sees_what_this_processor_has(device: DeviceInfo) -> None:
    if not device.dot or not device.is_cpu:
        pytest.skip("claims no products of bytes")
    assert verified_dot(verified_wide(device)).dot == device.dot


def test_a_plan_has_bytes_where_they_are_verified_only() -> None:
    b = Quantised()
    y = b.product(b.pair(b.input(1, 5, 6, 7)), 6, 5)
    graph = b.graph(b.pair(y, 0.1, 60))
    specs = {"x": graph.specs["x"]}
    able = dataclasses.replace(AVX512, dot="vnni", dot_verified=True)
    plan = make_plan(graph, specs, able)
    assert [n.op for n in plan.graph.nodes] == ["QuantizeLinear", "ByteConv", "DequantizeLinear"]
    assert {c.name for c in plan.lowered.choices.values()} == {"dense", "flat"}
    claimed = dataclasses.replace(able, dot_verified=False)
    plan = make_plan(graph, specs, claimed)
    assert [n.op for n in plan.graph.nodes] == ["FakeQuantize", "Conv"]
    assert plan.graph.nodes[-1].epilogue


def test_words_leave_to_floats_what_winograd_does_with_fewer_products() -> None:
    def products(dot: str, filters: int) -> list[str]:
        b = Quantised()
        y = b.product(b.pair(b.input(1, 64, 28, 28)), 64, 64, window=1, pads=(0, 0, 0, 0))
        graph = b.graph(b.pair(b.product(b.pair(y), filters, 64), 0.1, 60))
        able = dataclasses.replace(AVX512, dot=dot, dot_verified=True)
        plan = make_plan(graph, {"x": graph.specs["x"]}, able)
        return [n.op for n in plan.graph.nodes if "Conv" in n.op]

    assert products("vnni", 64) == ["ByteConv", "ByteConv"]
    assert products("words", 16) == ["ByteConv", "Conv"]
    assert products("words", 64) == ["Conv", "Conv"]  # one of ten products: not worth conversions


def test_who_claims_it() -> None:
    platform, flags = "Portable Computing Language", frozenset({"avx512_vnni"})
    assert dot_of(platform, "cpu", "PoCL x86_64-linux", flags) == "vnni"
    assert dot_of(platform, "cpu", "PoCL x86_64-linux", frozenset({"avx2"})) == "words"
    assert dot_of(platform, "cpu", "PoCL x86_64-linux", frozenset({"avx"})) == ""
    assert dot_of(platform, "gpu", "PoCL x86_64-linux", flags) == ""
    assert dot_of(platform, "cpu", "PoCL aarch64-linux", frozenset({"asimddp", "i8mm"})) == "usdot"
    assert dot_of(platform, "cpu", "PoCL aarch64-linux", frozenset({"asimddp"})) == "sdot"
    assert dot_of(platform, "cpu", "PoCL aarch64-linux", frozenset({"asimd"})) == ""
    assert dot_of("Intel(R) OpenCL", "cpu", "x86_64", flags) == ""


@pytest.mark.parametrize(
    ("name", "capability", "extensions", "dot"),
    [
        ("NVIDIA H200", (9, 0), "", "nvidia k32"),
        ("NVIDIA T4", (7, 5), "", "nvidia k16"),
        ("NVIDIA V100", (7, 0), "", "nvidia"),
        ("NVIDIA P100", (6, 0), "", ""),
        ("Intel(R) Arc(TM) A770", (0, 0), "cl_khr_integer_dot_product", "khr"),
        (
            *("Intel(R) Arc(TM) A770", (0, 0)),
            "cl_khr_integer_dot_product cl_intel_subgroup_matrix_multiply_accumulate",
            "intel 16 lanes",
        ),
        ("gfx90a:sramecc+:xnack-", (0, 0), "", "amd"),
        ("gfx1030", (0, 0), "", "amd"),
        ("gfx1100", (0, 0), "", "amd matrix"),
        ("gfx1201", (0, 0), "", "amd unsigned"),
        ("gfx900", (0, 0), "", ""),
        ("gfx1010:xnack-", (0, 0), "", ""),
    ],
)
def test_which_gpu_claims_it(
    name: str, capability: tuple[int, int], extensions: str, dot: str
) -> None:
    assert gpu_dot(name, capability, frozenset(extensions.split())) == dot

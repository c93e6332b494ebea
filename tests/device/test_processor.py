"""What Linux says of a processor, and what follows for a device: AVX-512 in one step or in two."""

from __future__ import annotations

import pytest

from clconv.device import quirks
from clconv.device.info import DeviceInfo, widened
from clconv.device.processor import Processor, processor_of
from clconv.device.quirks import apply_quirks
from clconv.lowering.ops.conv.shape import arithmetic_rate

POCL = "Portable Computing Language"
AVX512 = frozenset({"avx2", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})
ZEN3 = Processor("AuthenticAMD", 25, 1, frozenset({"avx2"}))
ZEN4 = Processor("AuthenticAMD", 25, 17, AVX512)
ZEN5 = Processor("AuthenticAMD", 26, 2, AVX512)  # an EPYC
ZEN5_MOBILE = Processor("AuthenticAMD", 26, 36, AVX512)
XEON = Processor("GenuineIntel", 6, 143, AVX512)

CPUINFO = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC 9B14
flags\t\t: avx2 avx512f avx512bw avx512cd avx512dq avx512vl

processor\t: 1
vendor_id\t: another
cpu family\t: 1
"""


def test_the_first_processor_counts() -> None:
    assert processor_of(CPUINFO) == ZEN4


@pytest.mark.parametrize(
    ("text", "processor"),
    [
        ("", Processor()),
        ("processor\t: 0\nFeatures\t: fp asimd i8mm\n", Processor(flags=frozenset(["fp", "asimd", "i8mm"]))),
        ("vendor_id :\nmodel name\t: 17\ncpu family\t: unknown\nflags :\n", Processor()),
    ],
    ids=["nothing", "ARM", "no numbers"],
)  # fmt: skip
def test_what_is_not_told_is_left_open(text: str, processor: Processor) -> None:
    assert processor_of(text) == processor
    assert not processor.halves_512_bits


@pytest.mark.parametrize(
    ("processor", "lanes"),
    [(ZEN4, 8), (ZEN5_MOBILE, 8), (ZEN5, 16), (XEON, 16), (ZEN3, 16), (Processor(), 16)],
    ids=["Zen 4", "mobile Zen 5", "Zen 5", "Xeon", "Zen 3", "not known"],
)
def test_two_steps_for_512_bits_are_no_higher_rate(
    processor: Processor, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether PoCL's compiler knows AVX-512 or functions have it as an attribute: the rate is the processor's."""
    monkeypatch.setattr(quirks, "this_processor", lambda: processor)
    for target in ("znver3", "sapphirerapids"):
        device = _described(target)
        wide = widened(device) if target == "znver3" else device
        assert wide.vector_width == 16
        per_lane = arithmetic_rate(_described("znver3")) / 8
        assert arithmetic_rate(wide) == lanes * per_lane


def test_other_devices_of_the_machine_are_not_its_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quirks, "this_processor", lambda: ZEN4)
    gpu = DeviceInfo("MI300X", "AMD", "AMD Accelerated Parallel Processing", "", "", "gpu")
    assert "halves-512-bits" not in apply_quirks(gpu).quirks
    assert "halves-512-bits" in _described("znver3").quirks


def _described(target: str) -> DeviceInfo:
    """As PoCL describes a CPU that it generates code for `target` for."""
    version = f"OpenCL 3.0 PoCL HSTR: pthread-x86_64-unknown-linux-gnu-{target}"
    device = DeviceInfo("CPU", "a vendor", POCL, "", "", "cpu", version=version, vector_width=16)
    return apply_quirks(device)

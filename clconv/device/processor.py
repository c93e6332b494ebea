"""This machine's processor as Linux describes it: what a CPU device runs on."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from clconv.records import record

# AMD's units of 256 bits that do AVX-512 in two steps, by family and models: Zen 4 (family 25; its Zen 3 have no AVX-512), and the
# mobile ones of Zen 5 (family 26: Strix Point, Krackan Point). http://numberworld.org/blogs/2024_8_7_zen5_avx512_teardown. CPUID
# Fn8000_001A has a bit for it, which Linux does not show.
_HALF_WIDTH = {25: range(256), 26: (*range(0x20, 0x30), *range(0x60, 0x70))}


@record(frozen=True)
class Processor:
    """vendor, family and model as CPUID gives them; empty and 0 where the system does not tell, as on ARM. flags: what the
    processor can."""

    vendor: str = ""
    family: int = 0
    model: int = 0
    flags: frozenset[str] = frozenset()

    @property
    def halves_512_bits(self) -> bool:
        """Whether arithmetic on 512 bits takes two steps."""
        is_amd = self.vendor == "AuthenticAMD"
        return is_amd and "avx512f" in self.flags and self.model in _HALF_WIDTH.get(self.family, ())


@functools.cache
def this_processor() -> Processor:
    """That of this machine."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Processor()
    return processor_of(text)


def processor_of(cpuinfo: str) -> Processor:
    """The first one of the text of /proc/cpuinfo."""

    def said(names: str) -> str:
        found = re.search(rf"^(?:{names})[ \t]*:(.*)$", cpuinfo, re.M)
        return found[1].strip() if found else ""

    family, model = (
        int(text) if text.isdecimal() else 0 for text in map(said, ("cpu family", "model"))
    )
    flags = frozenset(said("flags|Features").split())
    return Processor(said("vendor_id"), family, model, flags)

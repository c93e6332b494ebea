"""What is tried of a device has been tried before on some: one build of a driver and one kind of processor always give the same
machine code, and the same results. There nobody waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from clconv.device.processor import this_processor
from clconv.runtime.opencl import is_loaded


class Known(NamedTuple):
    """file, about: what was found out, see apart.py. driver: its version. library: its file as pip installs it, whose name holds
    a checksum of its content. models: of the processor. reason: why it is of no use, "" if it is right."""

    file: str
    about: Mapping[str, str]
    driver: str
    library: str
    vendor: str
    family: int
    models: range
    reason: str = ""


_POCL = ("3.0-rc2", "libpocl-21062cec.so")  # its LLVM is 14
_ZEN_4 = ("AuthenticAMD", 25)
_GENOA = range(0x10, 0x20)
_VECTORS = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vnni,avx512vbmi"

# Each is tried again by tests/probes/test_known.py where its library and processor are.
KNOWN = (
    Known("wide.json", {"wide": _VECTORS}, *_POCL, *_ZEN_4, _GENOA),
    Known("dot.json", {"dot": "vnni", "wide": _VECTORS}, *_POCL, *_ZEN_4, _GENOA),
)


def known(file: str, key: Mapping[str, Any]) -> str | None:
    """What was found out by the key on a machine like this one; None if nobody knows."""
    found = (one.reason for one in KNOWN if one.file == file and _is_like_this(one, key))
    return next(found, None)


def _is_like_this(one: Known, key: Mapping[str, Any]) -> bool:
    processor = this_processor()
    return (
        all(key.get(name) == value for name, value in one.about.items())
        and key["device"]["driver"] == one.driver
        and (processor.vendor, processor.family) == (one.vendor, one.family)
        and processor.model in one.models
        and is_loaded(one.library)
    )
